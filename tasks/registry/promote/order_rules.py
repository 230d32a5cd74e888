"""Rules for rollback orders: those for approvals at the release gate of the release to restore (tasks/gates/rules/).

The rules are applied before a person signs, before the order is recorded, and again when another order joins the order.
Orders that were carried out are not judged again. In an emergency rollback, the role that policy assigns to emergencies
replaces the gate's roles, and the person is allowed to have decided on the run in another role.
"""

from dataclasses import dataclass
from datetime import datetime

from tasks.gates import cases
from tasks.gates.cases import GateCase
from tasks.gates.decision_validity import earlier_roles, verify_decisions
from tasks.gates.evidence import RequiredDecisions
from tasks.gates.rules import all_rules, other_decisions
from tasks.gates.rules.claim import Claim
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
    at: datetime
    """Time at which the person must hold the role."""
    key_fingerprint: str = ""
    """Fingerprint of the key that signs the order; empty to accept any key of the person, before the key is known."""
    break_glass: bool = False


def why_not(claim: OrderClaim, role: str, ledger: Ledger, governance: Governance) -> str | None:
    """Return the reason why an order in a role is not valid; None if the order is valid.

    Raises:
        InputError: The release's risk tier is not in policy.yaml or has no release gate.
        Refused: A ledger entry of the run's release gate was changed.
    """
    case = _release_case(claim.target, ledger)
    if case is None:
        return f"the ledger does not hold the evidence on which {claim.target.promotion.label} was released"
    approval = _approval(claim, role, case, governance.policy)
    return all_rules.why_not(approval) or (
        None if claim.break_glass else _second_role(approval.decision, case, ledger, governance)
    )


def _release_case(target: SignedPromotion, ledger: Ledger) -> GateCase | None:
    promotion = target.promotion
    listed = promotion.files.get(f"{bundle.ATTESTATIONS}/evidence/release.json")
    return next((case for case in cases.read_all(ledger, promotion.run, "release") if case.sha256 == listed), None)


def _approval(claim: OrderClaim, role: str, case: GateCase, policy: Policy) -> Claim:
    """Convert a rollback order to an equivalent approval at the release gate, under the policy in force."""
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
        time=claim.at,
    )  # fmt: skip
    return Claim(
        decision=decision,
        person=claim.person,
        key_fingerprint=claim.key_fingerprint,
        stage=evidence.subject.stage,
        subject_sha256=evidence.subject.sha256,
        evidence=evidence,
        own_evidence=evidence,
        policy=policy,
        effective_at=claim.at,
        recorded_at=claim.at,
        now=claim.at,
    )


def _second_role(approval: Decision, case: GateCase, ledger: Ledger, governance: Governance) -> str | None:
    before = earlier_roles(case, ledger, governance)
    if before is None:
        return None
    at_gate = verify_decisions(case, ledger, governance, approval.time)
    return other_decisions.second_role(
        approval, other_decisions.first_roles([each.decision for each in at_gate if each.decision], before)
    )
