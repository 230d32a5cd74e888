"""Decisions that count at a gate. Each is verified again from its envelope, by the rules in tasks/gates/rules/."""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from tasks.core.errors import HallmarkError, Refused
from tasks.core.graph import GATES
from tasks.gates import cases, signed_request
from tasks.gates.cases import Asked, Case
from tasks.gates.evidence import Evidence
from tasks.gates.rules import beside, table
from tasks.gates.rules.beside import Placed
from tasks.gates.rules.claim import Claim
from tasks.gates.signed_decision import KIND, Decision, Signed, read
from tasks.gates.signed_request import SignedRequest
from tasks.ledger.ledger import Entry, Ledger
from tasks.policy.governance import Governance
from tasks.policy.policy import Gate


@dataclass(frozen=True)
class Weighed:
    """Ledger entry that claims to be a decision about a gate's subject, with the result of its verification."""

    entry: Entry
    signed: Signed | None
    """Verified decision; None if the envelope does not verify."""
    carried: bool
    """Whether the decision was made in an earlier run, about the same output."""
    why_not: str
    """Reason why the decision does not count; empty if it does."""

    @property
    def decision(self) -> Decision | None:
        """Decision if it counts, else None."""
        return self.signed.decision if self.signed and not self.why_not else None


def weigh(case: Case, ledger: Ledger, governance: Governance, now: datetime) -> list[Weighed]:
    """Verify every decision about the case's subject, and return them with the results, oldest first."""
    entries = ledger.entries(KIND, case.evidence.subject.sha256)
    weighed = [_alone(entry, case, ledger, governance, now) for entry in entries]
    placed = [
        Placed(w.decision, w.signed.sha256, f"entry {w.entry.seq}") if w.decision and w.signed else None
        for w in weighed
    ]
    reasons = beside.why_not(placed, roles_before(case, ledger, governance))
    return [replace(w, why_not=why_not) if why_not else w for w, why_not in zip(weighed, reasons, strict=True)]


def roles_before(case: Case, ledger: Ledger, governance: Governance) -> dict[str, str] | None:
    """Return the role in which each person decided at the run's earlier gates; None if policy allows several roles."""
    evidence = case.evidence
    if governance.policy.tier(evidence.tier).separation.two_roles:
        return None
    roles: dict[str, str] = {}
    for gate in GATES[: GATES.index(evidence.gate)]:
        for earlier in cases.read(ledger, evidence.run, gate)[-1:]:
            asked = (earlier.evidence.tier, earlier.evidence.policy_sha256)
            if earlier.closed and asked == (evidence.tier, evidence.policy_sha256):
                weighed = weigh(earlier, ledger, governance, earlier.closed.time)
                roles = beside.first_roles([w.decision for w in weighed if w.decision], roles)
    return roles


def deadline(case: Asked, asked: Gate) -> datetime:
    return case.entry.time + timedelta(days=asked.deadline_days)


def _alone(entry: Entry, case: Case, ledger: Ledger, governance: Governance, now: datetime) -> Weighed:
    try:
        signed = read(entry, governance)
        own = _own_case(signed, case, ledger)
        if own is not None and own is not case:
            require_requester(own.evidence, ledger, governance)
    except HallmarkError as error:
        return Weighed(entry, None, False, str(error))
    if own is None:
        return Weighed(entry, signed, False, "it is about evidence that no gate has asked about")
    why_not = table.why_not(_claim(signed, own, case, governance, now))
    return Weighed(entry, signed, own is not case, why_not or "")


def _claim(signed: Signed, own: Case, case: Case, governance: Governance, now: datetime) -> Claim:
    closings = [each.closed for each in (own, case) if each.closed and each.closed.seq < signed.entry.seq]
    return Claim(
        decision=signed.decision,
        person=signed.person,
        key=signed.keyid,
        stage=signed.stage,
        subject_sha256=signed.subject_sha256,
        evidence=case.evidence,
        made_on=own.evidence,
        policy=governance.policy,
        time=signed.time,
        recorded=signed.entry.time,
        now=now,
        asked=own.entry.time,
        deadline=deadline(own, governance.policy.gate(case.evidence.tier, case.evidence.gate)),
        closed=next(iter(closings), None),
    )


def require_requester(evidence: Evidence, ledger: Ledger, governance: Governance) -> SignedRequest:
    """Return the run's signed request, after verification that evidence names the same requester.

    Nobody may decide on their own run, so the requester is never taken from evidence alone.

    Raises:
        Refused: The evidence names another requester, or there is no valid request.
    """
    asked = signed_request.require(ledger, governance, evidence.run)
    if not evidence.is_of(asked):
        raise Refused(f"the evidence of gate {evidence.gate} names another requester of run {evidence.run} than signed")
    return asked


def _own_case(signed: Signed, case: Case, ledger: Ledger) -> Case | None:
    if signed.decision.run == case.evidence.run and signed.evidence_sha256 == case.sha256:
        return case
    earlier = cases.read(ledger, signed.decision.run, signed.decision.gate)
    return next((each for each in reversed(earlier) if each.sha256 == signed.evidence_sha256), None)
