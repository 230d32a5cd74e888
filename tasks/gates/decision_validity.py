"""Decisions that count at a gate. Each decision is verified again from its envelope, by the rules in rules/."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from tasks.core.errors import HallmarkError, Refused
from tasks.core.graph import GATES
from tasks.gates import cases, signed_request
from tasks.gates.cases import GateCase
from tasks.gates.evidence import Evidence
from tasks.gates.rules import all_rules, other_decisions
from tasks.gates.rules.claim import DecisionClaim
from tasks.gates.rules.other_decisions import RecordedDecision
from tasks.gates.signed_decision import ENTRY_KIND, Decision, SignedDecision, read_decision
from tasks.gates.signed_request import RecordedRunRequest
from tasks.ledger.ledger import Entry, Ledger
from tasks.policy.governance import Governance
from tasks.policy.policy import GateRules
from tasks.trust.gate_statement import GateName


@dataclass(frozen=True)
class DecisionResult:
    """Result of verifying a ledger entry that claims to be a decision about a gate's subject."""

    entry: Entry
    signed: SignedDecision | None
    is_carried_over: bool
    """Whether the decision was made in an earlier run, about the same output."""
    why_not: str

    @property
    def decision(self) -> Decision | None:
        return self.signed.decision if self.signed and not self.why_not else None


def verify_decisions(
    case: GateCase,
    ledger: Ledger,
    governance: Governance,
    now: datetime,
    passed_on: Mapping[GateName, str] | None = None,
) -> list[DecisionResult]:
    """Verify every ledger entry that claims to be a decision about a gate's subject.

    Args:
        case: Opening of the gate.
        ledger: Ledger with the decisions.
        governance: Governance whose rules apply.
        now: Time at which waivers must not have expired.
        passed_on: Digest of the evidence on which the run passed each gate, if a release says so; None if the newest
            evidence counts.

    Raises:
        Refused: Evidence of an earlier gate of the run is missing or was changed.
        InputError: The risk tier or gate is not in policy.yaml.
    """
    entries = ledger.entries(ENTRY_KIND, case.evidence.subject.sha256)
    results = [_verify_decision(entry, case, ledger, governance, now) for entry in entries]
    placed = [
        RecordedDecision(w.decision, w.signed.sha256, f"entry {w.entry.seq}") if w.decision and w.signed else None
        for w in results
    ]
    reasons = other_decisions.refusal_reasons(placed, earlier_roles(case, ledger, governance, passed_on))
    return [replace(w, why_not=why_not) if why_not else w for w, why_not in zip(results, reasons, strict=True)]


def earlier_roles(
    case: GateCase, ledger: Ledger, governance: Governance, passed_on: Mapping[GateName, str] | None = None
) -> dict[str, str] | None:
    """Return the role in which each person decided at the run's earlier gates; None if policy allows several roles.

    The arguments and errors are those of `verify_decisions`.
    """
    evidence = case.evidence
    if governance.policy.tier(evidence.tier).separation.two_roles:
        return None
    roles: dict[str, str] = {}
    for gate in GATES[: GATES.index(evidence.gate)]:
        for earlier in _earlier_case(gate, evidence.run, ledger, passed_on):
            asked = (earlier.evidence.tier, earlier.evidence.policy_sha256)
            if earlier.closing_entry and asked == (evidence.tier, evidence.policy_sha256):
                closed_at = governance.recorded_at(earlier.closing_entry)
                results = verify_decisions(earlier, ledger, governance, closed_at, passed_on)
                roles = other_decisions.first_roles([w.decision for w in results if w.decision], roles)
    return roles


def _earlier_case(gate: GateName, run: str, ledger: Ledger, passed_on: Mapping[GateName, str] | None) -> list[GateCase]:
    if passed_on is None:
        return cases.read_cases(ledger, run, gate)[-1:]
    return [cases.require_case(ledger, run, gate, passed_on[gate])] if gate in passed_on else []


def gate_deadline(opened_at: datetime, asked: GateRules) -> datetime:
    return opened_at + timedelta(days=asked.deadline_days)


def _verify_decision(
    entry: Entry, case: GateCase, ledger: Ledger, governance: Governance, now: datetime
) -> DecisionResult:
    try:
        signed = read_decision(entry, governance)
        own = _case_of_decision(signed, case, ledger)
        if own is not None and own is not case:
            require_requester(own.evidence, ledger, governance)
    except HallmarkError as error:
        return DecisionResult(entry, None, False, str(error))
    if own is None:
        return DecisionResult(entry, signed, False, "it is about evidence that no gate has asked about")
    why_not = all_rules.refusal_reason(_claim(signed, own, case, governance, now))
    return DecisionResult(entry, signed, own is not case, why_not or "")


def _claim(
    signed: SignedDecision, own: GateCase, case: GateCase, governance: Governance, now: datetime
) -> DecisionClaim:
    closings = [
        each.closing_entry for each in (own, case) if each.closing_entry and each.closing_entry.seq < signed.entry.seq
    ]
    opened_at = max(own.opened_at, governance.recorded_at(own.opening_entry))
    return DecisionClaim(
        decision=signed.decision,
        person=signed.person,
        key_fingerprint=signed.keyid,
        stage=signed.stage,
        subject_sha256=signed.subject_sha256,
        evidence=case.evidence,
        own_evidence=own.evidence,
        policy=governance.policy,
        effective_at=signed.effective_at,
        recorded_at=signed.recorded_at,
        now=now,
        opened_at=opened_at,
        deadline=gate_deadline(opened_at, governance.policy.gate(case.evidence.tier, case.evidence.gate)),
        closing_entry=next(iter(closings), None),
    )


def require_requester(evidence: Evidence, ledger: Ledger, governance: Governance) -> RecordedRunRequest:
    """Verify that the evidence names the person who signed the run request, and return the request.

    The evidence alone is not trusted to name the requester, because people are not allowed to decide on their own runs.

    Raises:
        Refused: The evidence names another requester, or there is no valid request.
    """
    asked = signed_request.require_request(ledger, governance, evidence.run)
    if not evidence.is_for_request(asked):
        raise Refused(f"the evidence of gate {evidence.gate} names another requester of run {evidence.run} than signed")
    return asked


def _case_of_decision(signed: SignedDecision, case: GateCase, ledger: Ledger) -> GateCase | None:
    if signed.decision.run == case.evidence.run and signed.evidence_sha256 == case.sha256:
        return case
    run, gate = signed.decision.run, signed.decision.gate
    earlier = cases.cases_with_evidence(ledger, run, gate, signed.evidence_sha256)
    if not earlier:
        cases.read_cases(ledger, run, gate)  # raises an error that names the entry if one was changed
    return earlier[-1] if earlier else None
