"""Rules for the gates of the table that a policy of the tests does not name."""

from tasks.core.graph import GATES

LAST = "      release:\n"


def with_every_gate(policy: str, decisions: str = "[]") -> str:
    """Add the gates that the policy lacks to the tier that has gates, each with these decisions; `[]` asks nobody."""
    missing = [gate for gate in GATES if f"      {gate}:\n" not in policy]
    rules = "".join(f"      {gate}:\n        decisions: {decisions}\n" for gate in missing)
    return policy.replace(LAST, rules + LAST)
