"""Differences between evidence of a gate and the evidence with which the use case last passed that gate."""

from tasks.core.documents.config import FrozenModel
from tasks.core.facts import Facts
from tasks.gates import passed_evidence
from tasks.gates.evidence import Evidence
from tasks.ledger.ledger import Ledger


class EvidenceDiff(FrozenModel):
    run: str
    facts: Facts
    """Metrics of the earlier run, which passed the gate."""
    files: list[str]
    """Paths of files that differ or that only one of the two runs has, parameters and inputs first."""

    def earlier_value(self, fact: str) -> str:
        return str(self.facts[fact]) if fact in self.facts else ""


def diff_since_last_passed(evidence: Evidence, ledger: Ledger) -> EvidenceDiff | None:
    before = passed_evidence.last_passed_evidence(
        ledger, evidence.use_case, evidence.demo, evidence.gate, excluded_run=evidence.run
    )
    if before is None:
        return None
    then, now = before.artefacts, evidence.artefacts
    differ = [path for path in then.keys() | now.keys() if then.get(path) != now.get(path)]
    return EvidenceDiff(
        run=before.run, facts=before.facts, files=sorted(differ, key=lambda path: (_is_stage_output(path), path))
    )


def _is_stage_output(path: str) -> bool:
    return path.startswith("artefacts/")
