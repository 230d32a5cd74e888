"""Checks of a release's decisions against the rules in tasks/gates/rules/, with the facts that a release contains."""

from collections.abc import Sequence
from datetime import datetime

from tasks.core.errors import Refused
from tasks.gates import evidence as evidence_file
from tasks.gates.evidence import Evidence
from tasks.gates.rules import all_rules, other_decisions
from tasks.gates.rules.claim import Claim
from tasks.gates.rules.other_decisions import PlacedDecision, Roles
from tasks.gates.signed_decision import Decision
from tasks.policy.policy import Policy
from tasks.registry.verify.attestations import ReleaseDecision


def require_valid(
    decided: Sequence[ReleaseDecision], evidence: Evidence, policy: Policy, promoted: datetime, roles: Roles
) -> list[Decision]:
    """Verify that each decision at a gate is valid, and return the decisions.

    Args:
        decided: Decisions in the release.
        evidence: Evidence of the gate.
        policy: Policy in the release.
        promoted: Time of the promotion.
        roles: Role in which each person decided at earlier gates.

    Raises:
        Refused: A decision is not valid or is a rejection. A correct release contains no such decisions.
    """
    placed = [PlacedDecision(each.decision, each.sha256, each.name) for each in decided]
    together = other_decisions.why_not(placed, None if policy.tier(evidence.tier).separation.two_roles else roles)
    for each, beside_others in zip(decided, together, strict=True):
        if why_not := all_rules.why_not(_claim(each, evidence, policy, promoted)) or beside_others:
            raise Refused(f"a decision of {each.person.id} at gate {evidence.gate} does not count: {why_not}")
        if each.decision.verb == "reject":
            raise Refused(f"{each.person.id} rejected at gate {evidence.gate}")
    return [each.decision for each in decided]


def _claim(each: ReleaseDecision, evidence: Evidence, policy: Policy, promoted: datetime) -> Claim:
    """Return a decision in the form that the rules judge.

    A release does not contain the ledger. Each decision is therefore judged at the time that its signer stated, which
    must not be later than the promotion. The times at which the gate opened and closed, and the evidence of earlier
    runs, are unknown.
    """
    itself = each.subjects.get(f"evidence/{evidence.gate}.json") == evidence_file.digest(evidence)
    return Claim(
        decision=each.decision,
        person=each.person,
        key_fingerprint=each.keyid,
        stage=evidence.subject.stage,
        subject_sha256=each.subjects.get(evidence.subject.stage, ""),
        evidence=evidence,
        own_evidence=evidence if itself else None,
        policy=policy,
        effective_at=each.decision.time,
        recorded_at=promoted,
        now=promoted,
    )
