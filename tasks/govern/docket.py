"""The gates that were asked, are open, and were closed, as the ledger has them."""

from dataclasses import dataclass
from typing import Any

from pydantic import ValidationError

from tasks.errors import Refused
from tasks.govern.evidence import Evidence, digest
from tasks.govern.ledger import Entry, Ledger
from tasks.govern.policy import GateName

ASKED = "gate.asked"
CLOSED = "gate.closed"


@dataclass(frozen=True)
class Case:
    """A gate that was asked."""

    entry: Entry
    evidence: Evidence
    sha256: str
    """`evidence.digest` of what was asked."""


def ask(ledger: Ledger, evidence: Evidence) -> Evidence:
    """Put the question to the people, once for each subject and policy of a run's gate.

    Returns the evidence on record, which is what decisions are about: where the same was asked before, that one.
    """
    with ledger.transaction():
        for case in cases(ledger, evidence.run, evidence.gate)[-1:]:
            if (case.evidence.subject, case.evidence.policy_sha256) == (evidence.subject, evidence.policy_sha256):
                return case.evidence
        body = {"evidence": evidence.model_dump(mode="json"), "sha256": digest(evidence)}
        ledger.append(ASKED, evidence.subject.sha256, body)
    return evidence


def cases(
    ledger: Ledger, run: str | None = None, gate: GateName | None = None, subject_sha256: str | None = None
) -> list[Case]:
    """Every gate asked, oldest first; of one run, gate and subject where these are given."""
    found = [_case(entry) for entry in ledger.entries(ASKED, subject_sha256)]
    return [c for c in found if run in (None, c.evidence.run) and gate in (None, c.evidence.gate)]


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


def closing(ledger: Ledger, case: Case) -> Entry | None:
    """The entry that closed a case, if it is closed."""
    closed = ledger.entries(CLOSED, case.evidence.subject.sha256, after=case.entry.seq)
    return next((entry for entry in closed if entry.body.get("evidence_sha256") == case.sha256), None)


def record_closing(ledger: Ledger, case: Case, body: dict[str, Any]) -> None:
    """Close a case, once."""
    with ledger.transaction():
        if closing(ledger, case) is None:
            ledger.append(CLOSED, case.evidence.subject.sha256, {"evidence_sha256": case.sha256, **body})


def waiting(ledger: Ledger) -> list[Evidence]:
    """Gates asked and not closed, oldest first; of a run and gate asked twice only the newer."""
    latest = {(case.evidence.run, case.evidence.gate): case for case in cases(ledger)}
    closed = {entry.body.get("evidence_sha256"): entry.seq for entry in ledger.entries(CLOSED)}
    return [case.evidence for case in latest.values() if closed.get(case.sha256, 0) < case.entry.seq]


def _case(entry: Entry) -> Case:
    try:
        evidence = Evidence.model_validate(entry.body["evidence"])
    except (KeyError, ValidationError):
        raise Refused(f"entry {entry.seq} of the ledger was changed: it holds no evidence") from None
    if entry.body.get("sha256") != digest(evidence) or entry.subject != evidence.subject.sha256:
        raise Refused(f"entry {entry.seq} of the ledger was changed: its evidence does not match its digest")
    return Case(entry, evidence, digest(evidence))
