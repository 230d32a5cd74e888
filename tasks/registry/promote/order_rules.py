"""Rules of rollback orders: those of an approval at the release gate of the release to go back to (tasks/gates/rules/).

They are applied before a person signs, before the order is recorded, and again when another order joins it. Orders that
were carried out are not judged again. In an emergency rollback, policy's role for it replaces the gate's roles, and the
person may have decided in another role of the run.
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
    """Claim that a person may order a rollback."""

    person: Person
    target: SignedPromotion
    """Promotion of the release to go back to."""
    at: datetime
    """Time at which the person must hold the role."""
    key_fingerprint: str = ""
    """Key that signs the order; empty accepts any key of the person, before it is known which one signs."""
    break_glass: bool = False


def why_not(claim: OrderClaim, role: str, ledger: Ledger, governance: Governance) -> str | None:
    """Return the reason why an order in a role does not count; None if it does.

    Raises:
        InputError: The release's risk tier is not in policy.yaml or has no release gate.
        Refused: An entry of the run's release gate was changed.
    """
    case = _release_case(claim.target, ledger)
    if case is None:
        return f"the ledger does not hold the evidence on which {claim.target.promotion.label} was released"
    approval = _approval(claim, role, case, governance.policy)
    return all_rules.why_not(approval) or (
        None if claim.break_glass else _second_role(approval.decision, case, ledger, governance)
    )


def _release_case(target: SignedPromotion, ledger: Ledger) -> GateCase | None:
    """Return the opening of the release gate with the evidence that the signed promotion statement lists."""
    promotion = target.promotion
    listed = promotion.files.get(f"{bundle.ATTESTATIONS}/evidence/release.json")
    return next((case for case in cases.read_all(ledger, promotion.run, "release") if case.sha256 == listed), None)


def _approval(claim: OrderClaim, role: str, case: GateCase, policy: Policy) -> Claim:
    """Return the claim of an approval at the release gate, as the policy in force would ask for it now."""
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
