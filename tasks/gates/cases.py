"""Gates in the ledger: opened, open and closed. The ledger kinds are `gate.asked` and `gate.closed`.

The evidence is attached to the entry that opens the gate. The entry has the evidence's SHA-256, and its body names the
run's requester and the required roles.
"""

from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from tasks.core.documents.document import document_error_message
from tasks.core.errors import InputError, Refused
from tasks.gates.evidence import Evidence, EvidenceSummary, evidence_bytes, evidence_digest
from tasks.ledger.attachments import DIGEST_KEY
from tasks.ledger.ledger import Entry, Ledger
from tasks.ledger.open_questions import ASKED, CLOSED
from tasks.trust.gate_statement import GateName

__all__ = [
    "ASKED",
    "CLOSED",
    "REPLACED_STATE",
    "GateCase",
    "OpenedGate",
    "cases_or_errors",
    "cases_with_evidence",
    "close_gates_of_run",
    "current_case",
    "newest_case",
    "open_case",
    "open_cases",
    "open_evidence",
    "open_gate",
    "read_cases",
    "readable_cases",
    "record_closing",
    "require_case",
]


REPLACED_STATE = "replaced"
"""State in the closing entry of a gate whose run was replaced by a newer run of its schedule."""


@dataclass(frozen=True)
class OpenedGate:
    opening_entry: Entry
    evidence: EvidenceSummary
    sha256: str
    closing_entry: Entry | None
    """Ledger entry that closed the gate; None if the gate is open. Decisions after this entry are not valid."""
    opened_at: datetime
    """Time of the opening entry, or of an earlier opening of the run's gate if that is later. So a copy of an opening
    that is dated back has no effect."""


@dataclass(frozen=True)
class GateCase(OpenedGate):
    evidence: Evidence


def open_gate(ledger: Ledger, evidence: Evidence) -> Evidence:
    """Open a gate for decisions, unless it was opened before with the same files, policy and review.

    Returns:
        The evidence that decisions must refer to. If the gate was opened before, this is the earlier evidence.
    """
    with ledger.transaction():
        for case in read_cases(ledger, evidence.run, evidence.gate)[-1:]:
            if _decision_basis(case.evidence) == _decision_basis(evidence):
                return case.evidence
        ledger.append(ASKED, evidence.run, opening_body(evidence), evidence_bytes(evidence))
    return evidence


def opening_body(evidence: Evidence) -> dict[str, Any]:
    return {
        "gate": evidence.gate,
        "use_case": evidence.use_case,
        "requested_by": evidence.requested_by,
        "demo": evidence.demo,
        "roles": [role.role for role in evidence.asks.roles],
        "days": evidence.asks.deadline_days,
    }


def _decision_basis(evidence: Evidence) -> tuple[object, ...]:
    """Return the parts of evidence that decisions depend on. New measurements alone do not reopen a gate."""
    files = evidence.subject, evidence.artefacts, evidence.recorded
    return *files, evidence.policy_sha256, evidence.declared, evidence.review


def read_cases(ledger: Ledger, run: str | None = None, gate: GateName | None = None) -> list[GateCase]:
    """Return all openings of gates, oldest first. `run` and `gate` restrict them to one run and one gate.

    Raises:
        Refused: An entry or its document was changed.
    """
    asked = [entry for entry in ledger.entries(ASKED, run) if gate in (None, entry.body.get("gate"))]
    closed = _closings(ledger, run)
    closings = [closed.get((entry.subject, entry.body.get(DIGEST_KEY))) for entry in asked]
    return [_case(*each) for each in zip(asked, ledger.documents(asked), closings, _opening_times(asked), strict=True)]


def readable_cases(ledger: Ledger, run: str, gate: GateName) -> list[GateCase]:
    """Return the openings of a run's gate, oldest first, without those whose entry or document cannot be read.

    Use this if a run is over. Anybody who can append to the ledger could otherwise block for ever what relies on it.
    """
    asked = [entry for entry in ledger.entries(ASKED, run) if entry.body.get("gate") == gate]
    closed, found = _closings(ledger, run), cases_or_errors(asked, ledger)
    return [_with_closing(case, closed) for case in found if isinstance(case, GateCase)]


def cases_with_evidence(ledger: Ledger, run: str, gate: GateName, sha256: str | None) -> list[GateCase]:
    """Return the openings of a run's gate with the evidence that has this digest, oldest first."""
    return [case for case in readable_cases(ledger, run, gate) if case.sha256 == sha256]


def require_case(ledger: Ledger, run: str, gate: GateName, sha256: str | None) -> GateCase:
    """Return the first opening of a run's gate with the evidence that has this digest.

    Raises:
        Refused: The ledger does not hold this evidence.
    """
    found = cases_with_evidence(ledger, run, gate, sha256)
    if not found:
        raise Refused(
            f"the ledger does not hold the evidence on which run {run} passed gate {gate}; bring the whole ledger back"
        )
    return found[0]


def newest_case(ledger: Ledger, run: str, gate: GateName) -> GateCase:
    """Return a run's newest opening of a gate.

    Raises:
        InputError: The run has never opened this gate.
        Refused: An entry or its document was changed.
    """
    asked = read_cases(ledger, run, gate)
    if not asked:
        raise InputError(f"run {run} has asked nothing at the gate {gate}; `hallmark gates list --all` shows what was")
    return asked[-1]


def current_case(ledger: Ledger, evidence: Evidence) -> GateCase:
    """Return the newest opening of a gate, after verifying that it has exactly this evidence.

    Raises:
        Refused: The gate was not opened, or was opened again with other evidence.
    """
    asked = read_cases(ledger, evidence.run, evidence.gate)
    if not asked:
        raise Refused(f"run {evidence.run} has not asked gate {evidence.gate}")
    if asked[-1].sha256 != evidence_digest(evidence):
        raise Refused(
            f"the evidence of gate {evidence.gate} in run {evidence.run} is not the one on record "
            f"({evidence_digest(evidence)[:12]} against {asked[-1].sha256[:12]}); "
            "look at the recorded one before deciding"
        )
    return asked[-1]


def record_closing(ledger: Ledger, case: GateCase, state: str) -> None:
    evidence = case.evidence
    said = {"gate": evidence.gate, "use_case": evidence.use_case, "demo": evidence.demo}
    ledger.append(CLOSED, evidence.run, said | {"sha256": case.sha256, "state": state})


def close_gates_of_run(ledger: Ledger, run: str, state: str) -> None:
    """Close a run's open gates.

    Gates whose evidence cannot be read are left open, because nobody can decide on them.
    """
    with ledger.transaction():
        for case in cases_or_errors([entry for entry in ledger.open_questions() if entry.subject == run], ledger):
            if isinstance(case, GateCase):
                record_closing(ledger, case, state)


def open_evidence(ledger: Ledger) -> list[Evidence]:
    return [case.evidence for case in open_cases(ledger)]


def open_cases(ledger: Ledger) -> list[GateCase]:
    """Return the open gates, oldest first. If a run opened a gate twice, only the newer opening is returned."""
    asked = ledger.open_questions()
    return [open_case(*each) for each in zip(asked, ledger.documents(asked), strict=True)]


def cases_or_errors(opening_entries: list[Entry], ledger: Ledger) -> list[GateCase | Refused]:
    """Return each entry's open gate, or an error if its evidence cannot be read.

    Errors are returned rather than raised, because one manipulated entry must not hide the other gates.
    """
    cases: list[GateCase | Refused] = []
    for entry, document in zip(opening_entries, ledger.documents_or_errors(opening_entries), strict=True):
        try:
            cases.append(document if isinstance(document, Refused) else open_case(entry, document))
        except Refused as error:
            cases.append(error)
    return cases


def open_case(entry: Entry, document: bytes) -> GateCase:
    return _case(entry, document, None, entry.time)


def _opening_times(asked: list[Entry]) -> list[datetime]:
    newest: dict[tuple[str, str], datetime] = {}
    times = []
    for entry in asked:
        gate = (entry.subject, str(entry.body.get("gate")))
        newest[gate] = max(entry.time, newest.get(gate, entry.time))
        times.append(newest[gate])
    return times


def _with_closing(case: GateCase, closed: dict[tuple[str, Any], Entry]) -> GateCase:
    closing = closed.get((case.opening_entry.subject, case.sha256))
    return replace(case, closing_entry=closing if _is_closing_of(case.opening_entry, closing) else None)


def _closings(ledger: Ledger, run: str | None) -> dict[tuple[str, Any], Entry]:
    return {(entry.subject, entry.body.get("sha256")): entry for entry in ledger.entries(CLOSED, run)}


def _is_closing_of(opening: Entry, closing: Entry | None) -> bool:
    """Return whether a closing entry belongs to this opening rather than to an earlier one with the same evidence."""
    return closing is not None and closing.seq > opening.seq


def _case(entry: Entry, document: bytes, closed: Entry | None, opened_at: datetime) -> GateCase:
    try:
        evidence = Evidence.from_bytes(document)
    except ValueError as error:
        what = "what is attached is no evidence"
        raise Refused(
            f"entry {entry.seq} of the ledger was changed: {what} ({document_error_message(error)})"
        ) from None
    sha256 = str(entry.body.get(DIGEST_KEY))
    if entry.body != opening_body(evidence) | {DIGEST_KEY: sha256}:
        raise Refused(f"entry {entry.seq} of the ledger was changed: its evidence does not match what it says")
    if entry.subject != evidence.run:
        raise Refused(f"entry {entry.seq} of the ledger was changed: its evidence is of another run")
    return GateCase(entry, evidence, sha256, closed if _is_closing_of(entry, closed) else None, opened_at)
