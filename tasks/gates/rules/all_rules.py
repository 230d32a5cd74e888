"""All rules for single decisions."""

from tasks.gates.rules import person, subject, timing, waiver
from tasks.gates.rules.claim import DecisionClaim, Rule

SINGLE_DECISION_RULES: tuple[Rule, ...] = (
    *subject.RULES,
    *person.PERSON_RULES,
    *timing.RULES,
    *person.ROLE_RULES,
    *waiver.RULES,
)
"""Rules in the order in which they are applied. The first broken rule gives the reason."""


def refusal_reason(claim: DecisionClaim) -> str | None:
    """Return the reason why a decision is not valid; None if it is.

    Rules that compare a decision with others are in other_decisions.py.
    """
    return next((reason for rule in SINGLE_DECISION_RULES if (reason := rule(claim))), None)
