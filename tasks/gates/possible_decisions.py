"""Decisions that a person can make at a gate now, for pages that offer only these.

Each possible decision is tried as a dry run, by the code that checks decisions before they are signed (decisions.py).
"""

from collections.abc import Iterator, Sequence
from datetime import timedelta
from typing import NamedTuple

from tasks.core.errors import HallmarkError
from tasks.gates import decisions
from tasks.gates.decisions import DECISION_VERBS, DecisionDraft
from tasks.gates.evidence import Evidence
from tasks.gates.rules.person import roles_for
from tasks.gates.signed_decision import Verb
from tasks.ledger.ledger import Entry, Ledger
from tasks.policy.governance import Governance
from tasks.policy.people import Person

PLACEHOLDER_REASON = "as it would be asked"
"""Reason given in the dry run of a decision. The rules do not depend on it."""
WAIVER_DURATION = timedelta(days=1)


class PossibleDecision(NamedTuple):
    verb: Verb
    role: str


def possible_decisions(
    ledger: Ledger, governance: Governance, evidence: Evidence, person: Person, failed: Sequence[str]
) -> list[PossibleDecision]:
    """Return the decisions that a person can make now with one of their valid keys.

    Repetitions of earlier decisions are left out.

    Args:
        ledger: Ledger of the installation.
        governance: Governance in force.
        evidence: Evidence of the gate.
        person: Person who would decide.
        failed: Names of the failed checks that a waiver would cover.
    """
    lines = [key.public_key for key in governance.keys_of(person) if key.is_valid(ledger.now())]
    with ledger.reading():
        return [
            offer for offer in _possible(ledger, evidence, person, failed)
            if any(_is_accepted(ledger, governance, evidence, person, offer, failed, line) for line in lines)
        ]  # fmt: skip


def _possible(ledger: Ledger, evidence: Evidence, person: Person, failed: Sequence[str]) -> Iterator[PossibleDecision]:
    held = person.roles_at(ledger.now())
    for verb in DECISION_VERBS:
        if verb == "withdraw":
            yield PossibleDecision(verb, "")
        elif verb != "waive" or failed:
            yield from (PossibleDecision(verb, role) for role in roles_for(verb, evidence.asks) if role in held)


def _is_accepted(
    ledger: Ledger, governance: Governance, evidence: Evidence, person: Person, offer: PossibleDecision,
    failed: Sequence[str],
    line: str,
) -> bool:  # fmt: skip
    waives = offer.verb == "waive"
    wish = DecisionDraft(
        offer.verb, PLACEHOLDER_REASON, offer.role or None, tuple(failed) if waives else (),
        ledger.now() + WAIVER_DURATION if waives else None,
    )  # fmt: skip
    try:
        return not isinstance(decisions.try_decision(ledger, governance, evidence, person.id, wish, line), Entry)
    except HallmarkError:
        return False
