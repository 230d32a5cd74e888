"""The gates that were asked, are open, and were closed, as the ledger has them."""

from dataclasses import dataclass
from typing import Any

from pydantic import ValidationError

from tasks.errors import Refused
from tasks.govern.gate.evidence import Evidence, digest
from tasks.govern.ledger.ledger import Entry, Ledger
from tasks.govern.rules.policy import GateName

ASKED = "gate.asked"
CLOSED = "gate.closed"


@dataclass(frozen=True)
class Case:
    """A gate that was asked. Its entries' subject is the run."""

    entry: Entry
    evidence: Evidence
    sha256: str
    """`evidence.digest` of what was asked."""
    closed: Entry | None
    """From this entry on no decision counts."""


def ask(ledger: Ledger, evidence: Evidence) -> Evidence:
    """Put the question to the people, once for each policy and all the files that a run's gate looks at.

    Returns the evidence on record, which is what decisions are about: where the same was asked before, that one.
    """
    with ledger.transaction():
        for case in cases(ledger, evidence.run, evidence.gate)[-1:]:
            if _about(case.evidence) == _about(evidence):
                return case.evidence
        body = {"gate": evidence.gate, "sha256": digest(evidence), "evidence": evidence.model_dump(mode="json")}
        ledger.append(ASKED, evidence.run, body)
    return evidence


def _about(evidence: Evidence) -> tuple[object, ...]:
    """What decisions are about. Figures measured anew put no other question."""
    return evidence.subject, evidence.policy_sha256, evidence.artefacts


def cases(ledger: Ledger, run: str | None = None, gate: GateName | None = None) -> list[Case]:
    """Every gate asked, oldest first; of one run and gate where these are given.

    Raises Refused where an entry is not what was written.
    """
    asked = [entry for entry in ledger.entries(ASKED, run) if gate in (None, entry.body.get("gate"))]
    closed = _closings(ledger, run)
    return [_case(entry, closed.get((entry.subject, entry.body.get("sha256")))) for entry in asked]


def subject(ledger: Ledger, run: str) -> str | None:
    """Digest of what a run's newest gate is about, which is the subject of the decisions there; None where it has asked
    nothing. It is not verified: for whoever looks for runs that a decision is about, and judges them then."""
    for entry in ledger.entries(ASKED, run)[-1:]:
        evidence = entry.body.get("evidence")
        about = evidence.get("subject") if isinstance(evidence, dict) else None
        return str(about.get("sha256")) if isinstance(about, dict) else None
    return None


def current(ledger: Ledger, evidence: Evidence) -> Case:
    """The case of this very evidence. Raises Refused where it was never asked, or a newer one took its place."""
    asked = cases(ledger, evidence.run, evidence.gate)
    if not asked:
        raise Refused(f"run {evidence.run} has not asked gate {evidence.gate}")
    if asked[-1].sha256 != digest(evidence):
        raise Refused(
            f"the evidence of gate {evidence.gate} in run {evidence.run} is not the one on record "
            f"({digest(evidence)[:12]} against {asked[-1].sha256[:12]}); look at the recorded one before deciding"
        )
    return asked[-1]


def record_closing(ledger: Ledger, case: Case, state: str) -> None:
    ledger.append(CLOSED, case.evidence.run, {"gate": case.evidence.gate, "sha256": case.sha256, "state": state})


def waiting(ledger: Ledger) -> list[Evidence]:
    """The evidence of `still_open`."""
    return [case.evidence for case in still_open(ledger)]


def still_open(ledger: Ledger) -> list[Case]:
    """Gates asked and not closed, oldest first; of a run and gate asked twice only the newer."""
    latest = {(entry.subject, entry.body.get("gate")): entry for entry in ledger.entries(ASKED)}
    closed = _closings(ledger, None)
    # The monitor asks every few seconds, so only what is open is validated and digested.
    found = [e for e in latest.values() if not _closed_after(e, closed.get((e.subject, e.body.get("sha256"))))]
    return [_case(entry, None) for entry in sorted(found, key=lambda entry: entry.seq)]


def _closings(ledger: Ledger, run: str | None) -> dict[tuple[str, Any], Entry]:
    """The last closing of each evidence, by run and digest."""
    return {(entry.subject, entry.body.get("sha256")): entry for entry in ledger.entries(CLOSED, run)}


def _closed_after(asked: Entry, closed: Entry | None) -> bool:
    """Whether a closing is of this question, not of the same one asked before."""
    return closed is not None and closed.seq > asked.seq


def _case(entry: Entry, closed: Entry | None) -> Case:
    try:
        evidence = Evidence.model_validate(entry.body["evidence"])
    except (KeyError, ValidationError):
        raise Refused(f"entry {entry.seq} of the ledger was changed: it holds no evidence") from None
    sha256 = digest(evidence)
    if entry.body != {"gate": evidence.gate, "sha256": sha256, "evidence": entry.body["evidence"]}:
        raise Refused(f"entry {entry.seq} of the ledger was changed: its evidence does not match its digest")
    if entry.subject != evidence.run:
        raise Refused(f"entry {entry.seq} of the ledger was changed: its evidence is of another run")
    return Case(entry, evidence, sha256, closed if _closed_after(entry, closed) else None)
