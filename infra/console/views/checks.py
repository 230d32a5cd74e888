"""Checks of a gate: failed checks first, then waived ones, then all others."""

from tasks.core.documents.config import FrozenModel
from tasks.gates import evidence_text
from tasks.gates.evidence import Evidence
from tasks.gates.evidence_diff import EvidenceDiff
from tasks.gates.finding_commands import finding_command
from tasks.gates.gates import CheckStatus, GateStatus


class Check(FrozenModel):
    name: str
    fact: str
    holds: bool
    outcome: str
    value: str
    wanted: str
    before: str
    """Value when this gate last passed; empty if it has never passed."""
    why: str
    command: str
    """Command that names the rows or labels behind a failed check; empty if the check holds or there is no such
    command."""
    waivable: bool
    """Whether the policy allows a waiver of the check."""


def check_rows(standing: GateStatus, before: EvidenceDiff | None, evidence: Evidence) -> list[Check]:
    return [_check(check, before, evidence) for check in sorted(standing.checks, key=_order)]


def _order(check: CheckStatus) -> int:
    return 2 if check.holds and not check.waived_by else 1 if check.holds else 0


def _check(check: CheckStatus, before: EvidenceDiff | None, evidence: Evidence) -> Check:
    result, waive = check.result, evidence.asks.waive
    return Check(
        name=result.name,
        fact=result.fact,
        holds=check.holds,
        outcome=evidence_text.outcome_text(check),
        value=evidence_text.metric_text(result),
        wanted=evidence_text.limit_text(result),
        before=before.earlier_value(result.fact) if before else "",
        why=result.why,
        command="" if check.holds else finding_command(result.fact, evidence.run),
        waivable=waive is not None and waive.allows_waiver_of(result.name),
    )
