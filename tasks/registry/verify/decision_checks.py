"""Checks of a release's decisions against the rules in tasks/gates/rules/, using only the content of the release."""

from collections.abc import Sequence
from datetime import datetime

from tasks.core.errors import Refused
from tasks.gates import evidence as evidence_file
from tasks.gates.evidence import Evidence
from tasks.gates.rules import all_rules, other_decisions
from tasks.gates.rules.claim import DecisionClaim
from tasks.gates.rules.other_decisions import RecordedDecision, RoleByPerson
from tasks.gates.signed_decision import Decision
from tasks.policy.policy import Policy
from tasks.registry.verify.attestations import ReleaseDecision


def require_valid_decisions(
    decisions: Sequence[ReleaseDecision], evidence: Evidence, policy: Policy, promoted_at: datetime, roles: RoleByPerson
) -> list[Decision]:
    """Verify that each decision at a gate is valid, and return the decisions.

    Args:
        decisions: Decisions in the release.
        evidence: Evidence of the gate.
        policy: Policy in the release.
        promoted_at: Time of the promotion.
        roles: Role in which each person decided at earlier gates.

    Raises:
        Refused: A decision is invalid or is a rejection. A valid release contains neither.
    """
    placed = [RecordedDecision(each.decision, each.sha256, each.path) for each in decisions]
    together = other_decisions.refusal_reasons(
        placed, None if policy.tier(evidence.tier).separation.two_roles else roles
    )
    for each, beside_others in zip(decisions, together, strict=True):
        if (
            why_not := all_rules.refusal_reason(_claim_from_decision(each, evidence, policy, promoted_at))
            or beside_others
        ):
            raise Refused(f"a decision of {each.person.id} at gate {evidence.gate} does not count: {why_not}")
        if each.decision.verb == "reject":
            raise Refused(f"{each.person.id} rejected at gate {evidence.gate}")
    return [each.decision for each in decisions]


def _claim_from_decision(
    release_decision: ReleaseDecision, evidence: Evidence, policy: Policy, promoted_at: datetime
) -> DecisionClaim:
    """Convert a decision to the form that the rules judge.

    The ledger, and with it the recorded time of each decision, is not part of the release. A decision is therefore
    judged at the time that its signer stated, which must not be later than the promotion. Also unknown are the times at
    which the gate opened and closed, and the evidence of earlier runs.
    """
    itself = release_decision.subjects.get(f"evidence/{evidence.gate}.json") == evidence_file.evidence_digest(evidence)
    return DecisionClaim(
        decision=release_decision.decision,
        person=release_decision.person,
        key_fingerprint=release_decision.keyid,
        stage=evidence.subject.stage,
        subject_sha256=release_decision.subjects.get(evidence.subject.stage, ""),
        evidence=evidence,
        own_evidence=evidence if itself else None,
        policy=policy,
        effective_at=release_decision.decision.time,
        recorded_at=promoted_at,
        now=promoted_at,
    )
