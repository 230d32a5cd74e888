"""The decisions in a release, held against the rules of tasks/gates/rules/ with what a release knows."""

from collections.abc import Sequence
from datetime import datetime

from tasks.core.errors import Refused
from tasks.gates import evidence as evidence_file
from tasks.gates.evidence import Evidence
from tasks.gates.rules import beside, table
from tasks.gates.rules.beside import Placed, Roles
from tasks.gates.rules.claim import Claim
from tasks.gates.signed_decision import Decision
from tasks.policy.policy import Policy
from tasks.registry.verify.attestations import Decided


def counted(
    decided: Sequence[Decided], evidence: Evidence, policy: Policy, promoted: datetime, roles: Roles
) -> list[Decision]:
    """A gate's decisions. A release holds none that does not count: raises Refused where one does not, or rejects.

    `roles` are those in which people decided at earlier gates.
    """
    placed = [Placed(each.decision, each.sha256, each.name) for each in decided]
    together = beside.why_not(placed, None if policy.tier(evidence.tier).separation.two_roles else roles)
    for each, beside_others in zip(decided, together, strict=True):
        if why_not := table.why_not(_claim(each, evidence, policy, promoted)) or beside_others:
            raise Refused(f"a decision of {each.person.id} at gate {evidence.gate} does not count: {why_not}")
        if each.decision.verb == "reject":
            raise Refused(f"{each.person.id} rejected at gate {evidence.gate}")
    return [each.decision for each in decided]


def _claim(each: Decided, evidence: Evidence, policy: Policy, promoted: datetime) -> Claim:
    """That a decision in a release counts.

    A release does not hold the ledger. So nobody but the signer says when they signed, though not after what they let
    pass was promoted; and when the gate was asked and closed is not known, nor what an earlier run's evidence was.
    """
    itself = each.subjects.get(f"evidence/{evidence.gate}.json") == evidence_file.digest(evidence)
    return Claim(
        decision=each.decision,
        person=each.person,
        key=each.keyid,
        stage=evidence.subject.stage,
        subject_sha256=each.subjects.get(evidence.subject.stage, ""),
        evidence=evidence,
        made_on=evidence if itself else None,
        policy=policy,
        time=each.decision.time,
        recorded=promoted,
        now=promoted,
    )
