"""State of a gate, and its closing.

`open_gate` opens a gate, people decide (decisions.py), `judge_and_close` judges and closes it, and statement.py writes
the statement that it has passed.

Judging relies only on the recorded evidence, the policy and the signatures. All verdicts are recomputed, and so is
whether each decision counts (decision_validity.py).
"""

from datetime import datetime
from typing import Literal

from tasks.core.documents.config import FrozenModel
from tasks.core.errors import InputError, Refused
from tasks.core.params.values import Sha256
from tasks.gates import cases, review_validity
from tasks.gates.cases import GateCase, OpenedGate, open_evidence, open_gate
from tasks.gates.checks.checks import CheckResult
from tasks.gates.decision_validity import DecisionResult, gate_deadline, require_requester, verify_decisions
from tasks.gates.evidence import Evidence, EvidenceSummary, verify_checks, verify_required_decisions
from tasks.gates.missing_decisions import missing_approvals, missing_waivers, missing_withdrawals
from tasks.gates.rules import run_request
from tasks.gates.signed_decision import ENTRY_KIND, unverified_person_and_verb
from tasks.gates.signed_request import RecordedRunRequest
from tasks.ledger.ledger import Ledger
from tasks.policy.governance import Governance
from tasks.policy.policy import GateRules
from tasks.trust.gate_statement import GateName

__all__ = [
    "CheckStatus",
    "DecisionStatus",
    "GateStatus",
    "close_gate",
    "judge_and_close",
    "judge_case",
    "judge_gate",
    "open_evidence",
    "open_gate",
]

GateState = Literal["passed", "failed", "rejected", "waiting", "expired"]


class CheckStatus(FrozenModel):
    result: CheckResult
    waived_by: str | None = None
    waived_until: datetime | None = None

    @property
    def holds(self) -> bool:
        return self.result.verdict != "failed" or self.waived_by is not None


class DecisionStatus(FrozenModel):
    seq: int
    time: datetime
    person: str
    verb: str
    role: str
    run: str
    """Id of the run in which the decision was made. The decision can count for later runs with the same data and
    policy."""
    reason: str
    counted: bool
    why_not: str
    """Reason why the decision does not count; empty if it does."""


class GateStatus(FrozenModel):
    gate: GateName
    run: str
    evidence_sha256: Sha256
    state: GateState
    checks: list[CheckStatus]
    decisions: list[DecisionStatus]
    waiting_for: list[str]
    """Descriptions of the missing decisions, including waivers of failed checks. The list is kept after the gate has
    expired or failed."""
    deadline: datetime
    as_of: int
    """Sequence number of the newest ledger entry that was taken into account."""


def judge_gate(evidence: Evidence, ledger: Ledger, governance: Governance, now: datetime) -> GateStatus:
    """Return the state of a gate at the given ledger time.

    Raises:
        Refused: The evidence differs from the recorded evidence, does not follow from policy and metrics, or names
            another requester than the signed request.
    """
    return judge_case(cases.current_case(ledger, evidence), ledger, governance, now)


def judge_case(case: GateCase, ledger: Ledger, governance: Governance, now: datetime) -> GateStatus:
    """Return the state of a gate from its newest case.

    Raises:
        Refused: The evidence does not follow from policy and metrics, or names another requester than the signed
            request.
    """
    evidence = case.evidence
    asked = require_requester(evidence, ledger, governance)
    rules = _verified_rules(evidence, governance, asked)
    review_validity.require_recorded_review(evidence, ledger, governance)
    weighed = verify_decisions(case, ledger, governance, now)
    return gate_status(case, rules, weighed, governance, now)


def gate_status(
    case: OpenedGate, rules: GateRules, results: list[DecisionResult], governance: Governance, now: datetime
) -> GateStatus:
    question = case.evidence
    checks = [_check_status(result, results) for result in question.checks]
    failed = [check.result for check in checks if not check.holds]
    missing = missing_waivers(failed, question.asks) + missing_withdrawals(results)
    missing += missing_approvals(question, governance, results, now)
    hopeless = not all(rules.can_waive(result.name) for result in failed)
    return GateStatus(
        gate=question.gate,
        run=question.run,
        evidence_sha256=case.sha256,
        state=_gate_state(case, rules, now, results, hopeless, bool(missing)),
        checks=checks,
        decisions=[_decision_status(w) for w in results],
        waiting_for=missing,
        deadline=gate_deadline(case.opened_at, rules),
        as_of=max((w.entry.seq for w in results), default=case.opening_entry.seq),
    )


def judge_and_close(ledger: Ledger, governance: Governance, evidence: Evidence) -> GateStatus:
    """Judge a gate, and close it unless it is waiting for decisions.

    Both happen in one transaction, so no decision can be recorded in between.
    """
    with ledger.transaction():
        standing = judge_gate(evidence, ledger, governance, ledger.now())
        if standing.state != "waiting":
            close_gate(ledger, evidence, standing)
    return standing


def close_gate(ledger: Ledger, evidence: Evidence, status: GateStatus) -> None:
    """Close a gate for further decisions. Repeating the call has no effect.

    Raises:
        Refused: The status is for other evidence, or a decision was recorded after the gate was judged.
        InputError: The gate is still waiting.
    """
    if status.state == "waiting":
        raise InputError(f"gate {evidence.gate} of run {evidence.run} still waits; only a settled gate can be closed")
    with ledger.transaction():
        case = cases.current_case(ledger, evidence)
        if status.evidence_sha256 != case.sha256:
            raise Refused(f"the standing is that of other evidence than gate {evidence.gate} of run {evidence.run}")
        if case.closing_entry is not None:
            return
        if ledger.entries(ENTRY_KIND, evidence.subject.sha256, after=status.as_of):
            raise Refused("a decision came in after the gate was judged; judge it again")
        cases.record_closing(ledger, case, status.state)


def _verified_rules(evidence: Evidence, governance: Governance, asked: RecordedRunRequest) -> GateRules:
    rules = rules_for_gate(evidence, governance)
    verify_required_decisions(evidence, governance.policy)
    for who in sorted(evidence.requesters):
        if refused := run_request.refusal_reason(
            who, evidence.tier, evidence.use_case, governance.policy, governance.people, asked.effective_at
        ):
            raise Refused(f"run {evidence.run}: {refused}")
    verify_checks(evidence, governance.policy)
    return rules


def rules_for_gate(evidence: EvidenceSummary, governance: Governance) -> GateRules:
    """Return policy's rules for a gate.

    Raises:
        Refused: The gate was opened under another policy, or the run is a demo run outside environment `local`.
    """
    if evidence.policy_sha256 != governance.policy_sha256:
        raise Refused(
            f"the evidence of gate {evidence.gate} in run {evidence.run} was gathered under another policy "
            f"({evidence.policy_sha256[:12]}, now {governance.policy_sha256[:12]}); gather it again"
        )
    if evidence.demo and not governance.is_local:
        raise Refused(f"demo runs count in environment local alone, this is {governance.policy.environment}")
    return governance.policy.gate(evidence.tier, evidence.gate)


def _check_status(result: CheckResult, weighed: list[DecisionResult]) -> CheckStatus:
    said = [w.decision for w in weighed if w.decision and w.decision.expires and result.name in w.decision.checks]
    if result.verdict != "failed" or not said:
        return CheckStatus(result=result)
    longest = max(said, key=lambda waiver: str(waiver.expires))
    return CheckStatus(result=result, waived_by=longest.person, waived_until=longest.expires)


def _gate_state(
    case: OpenedGate, rules: GateRules, now: datetime, weighed: list[DecisionResult], hopeless: bool, missing: bool
) -> GateState:
    if any(w.decision and w.decision.verb == "reject" and not w.is_carried_over for w in weighed):
        return "rejected"
    if not missing:
        return "passed"
    if hopeless:
        return "failed"
    if (case.closing_entry.time if case.closing_entry else now) > gate_deadline(case.opened_at, rules):
        return "expired"
    return "failed" if case.closing_entry else "waiting"


def _decision_status(w: DecisionResult) -> DecisionStatus:
    person, verb = unverified_person_and_verb(w.entry)
    decision = w.signed.decision if w.signed else None
    return DecisionStatus(
        seq=w.entry.seq,
        time=w.entry.time,
        person=person,
        verb=verb,
        role=decision.role if decision else "",
        run=decision.run if decision else "",
        reason=decision.reason if decision else "",
        counted=w.decision is not None,
        why_not=w.why_not,
    )
