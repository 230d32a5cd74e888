"""The gates that were asked, are open, and were closed, as the ledger has them.

What is asked is attached to the entry that asks; the entry has its SHA-256, and in plain words who asks whom for what.
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
    """A gate that was asked. Its entries' subject is the run."""

    entry: Entry
    evidence: Summary
    sha256: str
    """`evidence.digest` of what was asked."""
    closed: Entry | None
    """From this entry on no decision counts."""


@dataclass(frozen=True)
class Case(Asked):
    """The same with all of the evidence."""

    evidence: Evidence


def ask(ledger: Ledger, evidence: Evidence) -> Evidence:
    """Put the question to the people, once for each policy and all the files that a run's gate looks at.

    Returns the evidence on record, which is what decisions are about: where the same was asked before, that one.
    """
    with ledger.transaction():
        for case in read(ledger, evidence.run, evidence.gate)[-1:]:
            if _about(case.evidence) == _about(evidence):
                return case.evidence
        ledger.append(ASKED, evidence.run, body(evidence), spell(evidence))
    return evidence


def body(evidence: Evidence) -> dict[str, Any]:
    """What the entry that asks says, beside the digest of what is attached to it."""
    return {
        "gate": evidence.gate,
        "use_case": evidence.use_case,
        "requested_by": evidence.requested_by,
        "demo": evidence.demo,
        "roles": [role.role for role in evidence.asks.roles],
        "days": evidence.asks.deadline_days,
    }


def _about(evidence: Evidence) -> tuple[object, ...]:
    """What decisions are about. Figures measured anew put no other question."""
    return evidence.subject, evidence.policy_sha256, evidence.artefacts, evidence.recorded, evidence.declared


def read(ledger: Ledger, run: str | None = None, gate: GateName | None = None) -> list[Case]:
    """Every gate asked, oldest first; of one run and gate where these are given.

    Raises Refused where an entry is not what was written.
    """
    asked = [entry for entry in ledger.entries(ASKED, run) if gate in (None, entry.body.get("gate"))]
    closed = _closings(ledger, run)
    closings = [closed.get((entry.subject, entry.body.get(NAMED))) for entry in asked]
    return [_case(*each) for each in zip(asked, ledger.documents(asked), closings, strict=True)]


def current(ledger: Ledger, evidence: Evidence) -> Case:
    """The case of this very evidence. Raises Refused where it was never asked, or a newer one took its place."""
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
    """Record that the gates of a run that stand open are closed with it. One that cannot be read stays: nobody could
    decide it."""
    with ledger.transaction():
        for case in read_open([entry for entry in ledger.questions() if entry.subject == run], ledger):
            if isinstance(case, Case):
                record_closing(ledger, case, state)


def waiting(ledger: Ledger) -> list[Evidence]:
    """The evidence of `still_open`."""
    return [case.evidence for case in still_open(ledger)]


def still_open(ledger: Ledger) -> list[Case]:
    """Gates asked and not closed, oldest first; of a run and gate asked twice only the newer."""
    asked = ledger.questions()
    return [open_case(*each) for each in zip(asked, ledger.documents(asked), strict=True)]


def read_open(asked: list[Entry], ledger: Ledger) -> list[Case | Refused]:
    """Each gate that stands open, or in its place why it cannot be read: one bad entry is no reason to miss others."""
    cases: list[Case | Refused] = []
    for entry, document in zip(asked, ledger.documents_or_why(asked), strict=True):
        try:
            cases.append(document if isinstance(document, Refused) else open_case(entry, document))
        except Refused as error:
            cases.append(error)
    return cases


def open_case(entry: Entry, document: bytes) -> Case:
    """A gate that stands open, of what the ledger has of it. Raises Refused where it is not what was written."""
    return _case(entry, document, None)


def _closings(ledger: Ledger, run: str | None) -> dict[tuple[str, Any], Entry]:
    """The last closing of each evidence, by run and digest."""
    return {(entry.subject, entry.body.get("sha256")): entry for entry in ledger.entries(CLOSED, run)}


def _closed_after(asked: Entry, closed: Entry | None) -> bool:
    """Whether a closing is of this question, not of the same one asked before."""
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
