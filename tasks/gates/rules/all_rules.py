"""Rules of single decisions, all of them."""

from tasks.gates.rules import person, subject, timing, waiver
from tasks.gates.rules.claim import Claim, Rule

RULES: tuple[Rule, ...] = (*subject.RULES, *person.PERSON_RULES, *timing.RULES, *person.ROLE_RULES, *waiver.RULES)
"""Rules in the order in which they are applied. The first rule that is broken gives the reason."""


def why_not(claim: Claim) -> str | None:
    """Return the reason why a decision is not valid by itself; None if it is. For others see `other_decisions.py`."""
    return next((reason for rule in RULES if (reason := rule(claim))), None)
