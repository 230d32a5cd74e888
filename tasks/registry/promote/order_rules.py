"""Rules for rollback orders. A rollback order must be valid as an approval at the release gate of the target release.

The rules for approvals are in tasks/gates/rules/. They are applied before a person signs an order, before the order is
recorded, and again when the next person orders the same rollback. Orders that were carried out are not judged again.

In an emergency rollback, the gate's roles are replaced by the role that policy assigns to emergencies. The person is
then also allowed to have decided on the run in another role.
"""

from dataclasses import dataclass
from datetime import datetime

from tasks.gates import cases
from tasks.gates.cases import GateCase
from tasks.gates.decision_validity import earlier_roles, verify_decisions
from tasks.gates.evidence import RequiredDecisions
from tasks.gates.rules import all_rules, other_decisions
from tasks.gates.rules.claim import DecisionClaim
from tasks.gates.signed_decision import Decision
from tasks.ledger.ledger import Ledger
from tasks.policy.governance import Governance
from tasks.policy.people import Person
from tasks.policy.policy import Policy, RequiredRole
from tasks.registry.release import bundle
from tasks.registry.release.promotions import SignedPromotion


@dataclass(frozen=True)
class OrderClaim:
    person: Person
    target: SignedPromotion
    """Promotion statement of the release to restore."""
    order_time: datetime
    """Time of the order. Its signer must hold the required role at this time."""
    key_fingerprint: str = ""
    """Fingerprint of the key that signs the order. It is empty before the key is known; any key of the person is then
    accepted."""
    break_glass: bool = False


def rejection_reason(claim: OrderClaim, role: str, ledger: Ledger, governance: Governance) -> str | None:
    """Return the reason why a rollback order in a given role is not valid; None if the order is valid.

    Raises:
        InputError: The release's risk tier is not in policy.yaml or has no release gate.
        Refused: The ledger does not hold the evidence on which the run passed an earlier gate.
    """
    case = _release_case(claim.target, ledger)
    if case is None:
        return f"the ledger does not hold the evidence on which {claim.target.promotion.label} was released"
    approval = _as_approval(claim, role, case, governance.policy)
    return all_rules.refusal_reason(approval) or (
        None if claim.break_glass else _second_role_reason(approval.decision, claim, case, ledger, governance)
    )


def _release_case(target: SignedPromotion, ledger: Ledger) -> GateCase | None:
    promotion = target.promotion
    listed = bundle.evidence_digests(promotion.files).get("release")
    return next(iter(cases.cases_with_evidence(ledger, promotion.run, "release", listed)), None)


def _as_approval(claim: OrderClaim, role: str, case: GateCase, policy: Policy) -> DecisionClaim:
    """Convert a rollback order to an approval at the release gate, so that the gate's rules can judge it.

    The required roles are those of the policy in force, not those that were required at the time of the release.
    """
    tier = policy.tier(case.evidence.tier)
    policy.gate(case.evidence.tier, "release")
    asks = RequiredDecisions.from_policy(tier, "release", None, case.evidence.demo)
    if claim.break_glass:
        asks = asks.model_copy(update={"roles": [RequiredRole(role=tier.break_glass.role)] if tier.break_glass else []})
    evidence = case.evidence.model_copy(update={"asks": asks})
    decision = Decision(
        verb="approve", person=claim.person.id, role=role, run=evidence.run, gate="release",
        policy_sha256=evidence.policy_sha256, use_case=evidence.use_case, tier=evidence.tier,
        purpose_sha256=evidence.purpose_sha256, demo=evidence.demo, reason="", checks=[], expires=None, withdraws=[],
        time=claim.order_time,
    )  # fmt: skip
    return DecisionClaim(
        decision=decision,
        person=claim.person,
        key_fingerprint=claim.key_fingerprint,
        stage=evidence.subject.stage,
        subject_sha256=evidence.subject.sha256,
        evidence=evidence,
        own_evidence=evidence,
        policy=policy,
        effective_at=claim.order_time,
        recorded_at=claim.order_time,
        now=claim.order_time,
    )


def _second_role_reason(
    approval: Decision, claim: OrderClaim, case: GateCase, ledger: Ledger, governance: Governance
) -> str | None:
    passed_on = bundle.evidence_digests(claim.target.promotion.files)
    before = earlier_roles(case, ledger, governance, passed_on)
    if before is None:
        return None
    at_gate = verify_decisions(case, ledger, governance, approval.time, passed_on)
    return other_decisions.refuse_second_role(
        approval, other_decisions.first_roles([each.decision for each in at_gate if each.decision], before)
    )
