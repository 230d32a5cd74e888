"""Rules of single decisions, all of them."""

from tasks.gates.rules import person, subject, timing, waiver
from tasks.gates.rules.claim import Claim, Rule

RULES: tuple[Rule, ...] = (*subject.RULES, *person.PERSON_RULES, *timing.RULES, *person.ROLE_RULES, *waiver.RULES)
"""Rules in the order in which reasons are reported: the first one that objects gives the reason."""


def why_not(claim: Claim) -> str | None:
    """Return the reason why a decision does not count by itself (see also `other_decisions.py`); None if it does."""
    return next((reason for rule in RULES if (reason := rule(claim))), None)
