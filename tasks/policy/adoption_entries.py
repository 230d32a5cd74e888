"""Adoptions of policy and people in the ledger, and the one in force.

    governance.proposed   the first signature under a statement (adoption.py)
    governance.signed     a further signature
    governance.adopted    the envelope with all signatures: from this entry on the adoption is in force

The entries' subject is the digest of the statement. The statement's time is the time of the first of these entries. A
statement is not valid if it is dated after its entry or long before its proposal.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import lru_cache
from typing import Any

from tasks.core.errors import HallmarkError, Refused
from tasks.core.formatting import format_time
from tasks.ledger import entry as ledger_entry
from tasks.ledger.ledger import Entry, Ledger, Row
from tasks.policy import adoption
from tasks.policy.adoption import Adoption, AdoptionInForce
from tasks.trust import keys
from tasks.trust.validity import CLOCK_TOLERANCE

PROPOSED, SIGNED, ADOPTED = "governance.proposed", "governance.signed", "governance.adopted"


MAX_SIGNING_TIME = timedelta(hours=1)
"""Maximum age of a statement when the ledger records its first signature.

An older statement would make roles and keys valid for a time when the ledger did not have them. Further signatures can
take days.
"""


@dataclass(frozen=True)
class AdoptionChain:
    root_fingerprint: str
    adoptions: tuple[Adoption, ...]
    envelopes: tuple[dict[str, Any], ...]
    entries: tuple[Entry, ...]
    in_force: AdoptionInForce | None
    problems: tuple[str, ...]
    """Messages about entries that claim to be adoptions under this root key but are not valid, with the reasons."""
    foreign_problems: tuple[str, ...]
    """Messages about adoptions under other root keys, for example of an earlier environment or another machine."""

    @property
    def newest_adoption(self) -> Adoption | None:
        return self.in_force.adoption if self.in_force else None

    def signers_of(self, index: int) -> list[str]:
        """Return the ids of the people who signed an adoption.

        Args:
            index: Index of the adoption in the chain.
        """
        adopted, before = self.adoptions[index], self.adoptions[index - 1] if index else None
        parts = adoption.split_signatures(self.envelopes[index])
        people = [adoption.verified_signer(part, before, adopted.time) if before else None for part in parts]
        return [person.id if person else "the root key" for person in people]


def read_chain(ledger: Ledger, root: str) -> AdoptionChain:
    """Return the adoptions under a root key.

    Entries that cannot be verified are described in the chain's `problems`.
    """
    proposed = first_entry_times(signature_entries(ledger))
    verified, problems, foreign = _verify_rows(root, tuple(ledger.rows_about(ADOPTED)), tuple(proposed.items()))
    counted = tuple(entry for entry, _ in verified)
    envelopes = tuple(entry.body["envelope"] for entry in counted)
    adoptions = tuple(in_force.adoption for _, in_force in verified)
    return AdoptionChain(root, adoptions, envelopes, counted, verified[-1][1] if verified else None, problems, foreign)


@lru_cache(maxsize=8)
def _verify_rows(
    root: str, rows: tuple[Row, ...], first_times: tuple[tuple[str, datetime], ...]
) -> tuple[tuple[tuple[Entry, AdoptionInForce], ...], tuple[str, ...], tuple[str, ...]]:
    """Return the entries of the valid adoptions, and the problems with all other entries.

    Problems under this root key and under other root keys are returned separately. `first_times` contains the time of
    each statement's first entry. The result depends only on the arguments, so it can be cached.
    """
    chain: list[tuple[Entry, AdoptionInForce]] = []
    first = dict(first_times)
    problems: list[str] = []
    foreign: list[str] = []
    for row in rows:
        before = chain[-1][1] if chain else None
        reasons = problems
        try:
            entry = ledger_entry.entry_from_row(row)
            time, envelope = entry.time, envelope_of(entry.body)
            if keys.fingerprint(adoption.read_adoption(envelope).root) != root:
                reasons = foreign
            in_force = adoption.verify_adoption(envelope, before, root)
            require_plausible_date(
                in_force.adoption, min(time, first.get(adoption.adoption_digest(in_force.adoption), time)), time
            )
            if before:  # whatever time the statement says, its keys must also have counted when it was recorded
                adoption.require_signatures(
                    envelope, in_force.adoption, before.adoption, max(time, in_force.adoption.time)
                )
        except HallmarkError as error:
            reasons.append(f"entry {row.seq} of the ledger adopts nothing here: {error}")
            continue
        chain.append((entry, in_force))
    return tuple(chain), tuple(problems), tuple(foreign)


def require_plausible_date(adopted: Adoption, proposed_at: datetime, recorded_at: datetime) -> None:
    """Verify that a statement is dated neither after its entry (`recorded_at`) nor long before its proposal."""
    if adopted.time - recorded_at > CLOCK_TOLERANCE:
        raise Refused(
            f"it is dated {format_time(adopted.time)}, and was recorded on {format_time(recorded_at)}, before that; "
            "set the clock right and sign anew"
        )
    if proposed_at - adopted.time > MAX_SIGNING_TIME:
        minutes = MAX_SIGNING_TIME // timedelta(minutes=1)
        raise Refused(
            f"it is dated {format_time(adopted.time)}, and was proposed on {format_time(proposed_at)}, later than the "
            f"{minutes} minutes that signing may take; sign anew"
        )


def signature_entries(ledger: Ledger) -> list[Entry]:
    entries = [*ledger.readable_entries(PROPOSED), *ledger.readable_entries(SIGNED)]
    return sorted(entries, key=lambda entry: entry.seq)


def first_entry_times(entries: Iterable[Entry]) -> dict[str, datetime]:
    """Return the time of the first entry of each statement, by the statement's digest.

    An entry with the digest proves that the statement existed at that time.
    """
    times: dict[str, datetime] = {}
    for entry in entries:
        times.setdefault(entry.subject, entry.time)
    return times


def envelope_of(body: Mapping[str, Any]) -> dict[str, Any]:
    envelope = body.get("envelope")
    if not isinstance(envelope, dict):
        raise Refused("it holds no signed envelope")
    return envelope
