"""Gates in the ledger: opened, open and closed. The ledger kinds are `gate.asked` and `gate.closed`.

The evidence is attached to the entry that opens the gate. The entry has the evidence's SHA-256, and says in its body
who requested the run and which roles are asked.
"""

from dataclasses import dataclass
from typing import Any

from tasks.core.document import why
from tasks.core.errors import Refused
from tasks.gates.evidence import Evidence, Summary, digest, spell
from tasks.ledger.attached import NAMED
from tasks.ledger.ledger import Entry, Ledger
from tasks.ledger.questions import ASKED, CLOSED
from tasks.trust.gate_statement import GateName

__all__ = [
    "ASKED",
    "CLOSED",
    "Asked",
    "Case",
    "ask",
    "close_open",
    "current",
    "open_case",
    "read",
    "read_open",
    "record_closing",
    "still_open",
    "waiting",
]


@dataclass(frozen=True)
class Asked:
    """A gate that was opened; the subject of its entries is the run."""

    entry: Entry
    evidence: Summary
    sha256: str
    closed: Entry | None
    """Entry that closed the gate, after which no decision counts; None while it is open."""


@dataclass(frozen=True)
class Case(Asked):
    """A gate that was opened, with all of its evidence."""

    evidence: Evidence


def ask(ledger: Ledger, evidence: Evidence) -> Evidence:
    """Open a gate for decisions, unless it was opened before with the same files and policy.

    Returns the evidence on record, which decisions are about: that of the earlier opening if there is one.
    """
    with ledger.transaction():
        for case in read(ledger, evidence.run, evidence.gate)[-1:]:
            if _about(case.evidence) == _about(evidence):
                return case.evidence
        ledger.append(ASKED, evidence.run, body(evidence), spell(evidence))
    return evidence


def body(evidence: Evidence) -> dict[str, Any]:
    """Return the body of the entry that opens a gate, without the digest of the attached evidence."""
    return {
        "gate": evidence.gate,
        "use_case": evidence.use_case,
        "requested_by": evidence.requested_by,
        "demo": evidence.demo,
        "roles": [role.role for role in evidence.asks.roles],
        "days": evidence.asks.deadline_days,
    }


def _about(evidence: Evidence) -> tuple[object, ...]:
    """Return what decisions depend on. New measurements alone do not open the gate anew."""
    return evidence.subject, evidence.policy_sha256, evidence.artefacts, evidence.recorded, evidence.declared


def read(ledger: Ledger, run: str | None = None, gate: GateName | None = None) -> list[Case]:
    """Return every gate that was opened, oldest first, optionally of one run and gate.

    Raises:
        Refused: An entry or its attachment was changed.
    """
    asked = [entry for entry in ledger.entries(ASKED, run) if gate in (None, entry.body.get("gate"))]
    closed = _closings(ledger, run)
    closings = [closed.get((entry.subject, entry.body.get(NAMED))) for entry in asked]
    return [_case(*each) for each in zip(asked, ledger.documents(asked), closings, strict=True)]


def current(ledger: Ledger, evidence: Evidence) -> Case:
    """Return the case with exactly this evidence, which must be the newest of its gate.

    Raises:
        Refused: The gate was not opened, or was opened again with other evidence.
    """
    asked = read(ledger, evidence.run, evidence.gate)
    if not asked:
        raise Refused(f"run {evidence.run} has not asked gate {evidence.gate}")
    if asked[-1].sha256 != digest(evidence):
        raise Refused(
            f"the evidence of gate {evidence.gate} in run {evidence.run} is not the one on record "
            f"({digest(evidence)[:12]} against {asked[-1].sha256[:12]}); look at the recorded one before deciding"
        )
    return asked[-1]


def record_closing(ledger: Ledger, case: Case, state: str) -> None:
    evidence = case.evidence
    said = {"gate": evidence.gate, "use_case": evidence.use_case, "demo": evidence.demo}
    ledger.append(CLOSED, evidence.run, said | {"sha256": case.sha256, "state": state})


def close_open(ledger: Ledger, run: str, state: str) -> None:
    """Close the open gates of a run, except for gates whose evidence cannot be read: nobody could decide on them."""
    with ledger.transaction():
        for case in read_open([entry for entry in ledger.questions() if entry.subject == run], ledger):
            if isinstance(case, Case):
                record_closing(ledger, case, state)


def waiting(ledger: Ledger) -> list[Evidence]:
    return [case.evidence for case in still_open(ledger)]


def still_open(ledger: Ledger) -> list[Case]:
    """Return the open gates, oldest first; only the newest if a run opened a gate twice."""
    asked = ledger.questions()
    return [open_case(*each) for each in zip(asked, ledger.documents(asked), strict=True)]


def read_open(asked: list[Entry], ledger: Ledger) -> list[Case | Refused]:
    """Return each open gate, or the reason why it cannot be read: one changed entry must not hide the others."""
    cases: list[Case | Refused] = []
    for entry, document in zip(asked, ledger.documents_or_why(asked), strict=True):
        try:
            cases.append(document if isinstance(document, Refused) else open_case(entry, document))
        except Refused as error:
            cases.append(error)
    return cases


def open_case(entry: Entry, document: bytes) -> Case:
    """Return the open gate of an entry and its attachment.

    Raises:
        Refused: The entry or the attachment was changed.
    """
    return _case(entry, document, None)


def _closings(ledger: Ledger, run: str | None) -> dict[tuple[str, Any], Entry]:
    return {(entry.subject, entry.body.get("sha256")): entry for entry in ledger.entries(CLOSED, run)}


def _closed_after(asked: Entry, closed: Entry | None) -> bool:
    """Return whether a closing is of this opening and not of an earlier one with the same evidence."""
    return closed is not None and closed.seq > asked.seq


def _case(entry: Entry, document: bytes, closed: Entry | None) -> Case:
    try:
        evidence = Evidence.read_bytes(document)
    except ValueError as error:
        what = "what is attached is no evidence"
        raise Refused(f"entry {entry.seq} of the ledger was changed: {what} ({why(error)})") from None
    sha256 = str(entry.body.get(NAMED))
    if entry.body != body(evidence) | {NAMED: sha256}:
        raise Refused(f"entry {entry.seq} of the ledger was changed: its evidence does not match what it says")
    if entry.subject != evidence.run:
        raise Refused(f"entry {entry.seq} of the ledger was changed: its evidence is of another run")
    return Case(entry, evidence, sha256, closed if _closed_after(entry, closed) else None)
