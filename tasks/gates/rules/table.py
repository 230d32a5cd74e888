"""All rules of a decision that is looked at alone."""

from tasks.gates.rules import moment, person, subject, waiver
from tasks.gates.rules.claim import Claim, Rule

RULES: tuple[Rule, ...] = (*subject.RULES, *person.WHO, *moment.RULES, *person.ROLE, *waiver.RULES)
"""In the order in which people are told: the first that says something is the reason."""


def why_not(claim: Claim) -> str | None:
    """Why a decision does not count, were it alone (`beside.py` has the rest). None: it counts."""
    return next((reason for rule in RULES if (reason := rule(claim))), None)
