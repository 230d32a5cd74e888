"""Decisions that a person could make at a gate now, so that a page offers nothing else.

Each possible decision is drawn up by the code that checks it before signing (decisions.py), and then discarded.
"""

from collections.abc import Iterator, Sequence
from datetime import timedelta
from typing import NamedTuple

from tasks.core.errors import HallmarkError
from tasks.gates import decisions
from tasks.gates.decisions import VERBS, Wish
from tasks.gates.evidence import Evidence
from tasks.gates.rules.person import roles_for
from tasks.gates.signed_decision import Verb
from tasks.ledger.ledger import Entry, Ledger
from tasks.policy.governance import Governance
from tasks.policy.people import Person

SAID = "as it would be asked"
"""Stand-in for the reason, which has no influence on the rules."""
COUNTS = timedelta(days=1)
"""Duration of the waiver that is tried."""


class Offer(NamedTuple):
    verb: Verb
    role: str
    """Role in which to decide; empty to withdraw."""


def offered(
    ledger: Ledger, governance: Governance, evidence: Evidence, person: Person, failed: Sequence[str]
) -> list[Offer]:
    """Return the decisions that a person could make now with one of their current keys.

    `failed` has the names of the checks that a waiver would be for. Repetitions of earlier decisions are left out.
    """
    lines = [key.public_key for key in governance.keys_of(person) if key.counts(ledger.now())]
    with ledger.reading():
        return [
            offer for offer in _possible(ledger, evidence, person, failed)
            if any(_is_taken(ledger, governance, evidence, person, offer, failed, line) for line in lines)
        ]  # fmt: skip


def _possible(ledger: Ledger, evidence: Evidence, person: Person, failed: Sequence[str]) -> Iterator[Offer]:
    held = person.roles_at(ledger.now())
    for verb in VERBS:
        if verb == "withdraw":
            yield Offer(verb, "")
        elif verb != "waive" or failed:
            yield from (Offer(verb, role) for role in roles_for(verb, evidence.asks) if role in held)


def _is_taken(
    ledger: Ledger, governance: Governance, evidence: Evidence, person: Person, offer: Offer, failed: Sequence[str],
    line: str,
) -> bool:  # fmt: skip
    waives = offer.verb == "waive"
    wish = Wish(
        offer.verb, SAID, offer.role or None, tuple(failed) if waives else (),
        ledger.now() + COUNTS if waives else None,
    )  # fmt: skip
    try:
        return not isinstance(decisions.sketch(ledger, governance, evidence, person.id, wish, line), Entry)
    except HallmarkError:
        return False
