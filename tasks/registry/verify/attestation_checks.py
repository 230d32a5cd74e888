"""Checks that the gates, evidence and decisions in a release agree with each other and with the release's policy."""

from collections.abc import Iterator

from tasks.code_versions import sign_off
from tasks.core.errors import Refused
from tasks.core.formatting import format_time
from tasks.core.graph import SUBJECT_STAGES
from tasks.core.layout import EXPERIMENT_TIER
from tasks.declarations.criteria import next_criteria
from tasks.gates import review_validity
from tasks.gates.evidence import verify_checks, verify_required_decisions
from tasks.gates.missing_decisions import required_approvals_from
from tasks.gates.rules import other_decisions, run_request
from tasks.policy.governance import LOCAL_ENVIRONMENT
from tasks.policy.judge_install import JudgeInstall, refusal_reason
from tasks.registry.release import bundle
from tasks.registry.release.contents import FolderContents
from tasks.registry.release.promotions import Promotion, SignedPromotion
from tasks.registry.release.report import Check
from tasks.registry.verify import (
    decision_checks,
    declaration_checks,
    stage_record_checks,
    standard_format_checks,
    trust,
)
from tasks.registry.verify.attestations import Attestations
from tasks.registry.verify.trust import TrustedKeys
from tasks.trust import gate_statement
from tasks.trust.gate_statement import GateName


def verify_attestations(
    files: FolderContents, signed: SignedPromotion, listing: dict[str, str], trusted: TrustedKeys
) -> Iterator[Check]:
    """Check a release's attestations, and yield each check that passes.

    Args:
        files: Files of the release.
        signed: Promotion statement with a verified signature.
        listing: SHA-256 of the release's files by path, already compared with the promotion statement.
        trusted: Trusted keys and adoptions.

    Raises:
        Refused: A check failed.
        ValueError: A file has an invalid format.
    """
    attested, promotion = Attestations(files, signed, trusted), signed.promotion
    yield _passed_check("policy and people", _check_governance(attested, promotion))
    yield _passed_check("manifest", _check_manifest(attested, promotion))
    yield _passed_check("request", _check_request(attested, promotion))
    yield _passed_check("code", _check_code_signoff(attested, promotion))
    yield from declaration_checks.verify_declarations(attested, promotion)
    if promotion.judge or attested.policy.judges:
        yield _passed_check("judge", _check_judge(attested, promotion.judge))
    yield _passed_check("champion", _check_replaced_champion(attested, promotion))
    roles: dict[str, str] = {}
    for gate in attested.evidence:
        yield _passed_check(f"gate {gate}", _check_gate(attested, gate, promotion, listing))
        yield _passed_check(f"gate {gate}", _check_decisions(attested, gate, promotion, roles))
    yield from stage_record_checks.verify_stage_records(attested, promotion, listing)
    yield from standard_format_checks.verify_standard_formats(attested, promotion, listing)


def _check_governance(attested: Attestations, promotion: Promotion) -> str:
    adopted = attested.governance
    if adopted is None:
        return "policy and people are those of proposed files, which nobody adopted; they count in this project alone"
    if wrong := next(trust.adoption_differences(adopted, attested.policy, attested.people), None):
        raise Refused(wrong)
    last = adopted.adoption
    if promotion.time < last.time:
        raise Refused("the release was promoted before its policy and people were proposed")
    return f"policy and people are those of adoption {last.sequence}, of {format_time(last.time)}"


def _check_manifest(attested: Attestations, promotion: Promotion) -> str:
    manifest = attested.manifest
    if (manifest.name, manifest.tier, manifest.demo) != (promotion.name, promotion.tier, promotion.demo):
        raise Refused("payload/manifest.json and the promotion statement are about different candidates")
    if promotion.tier == EXPERIMENT_TIER:
        raise Refused("risk tier experiment is never promoted")
    if not attested.evidence:
        raise Refused(f"policy.json asks for no gate in risk tier {promotion.tier}")
    if promotion.gates != list(attested.evidence):
        asked = ", ".join(attested.evidence)
        raise Refused(f"it was promoted by gates {', '.join(promotion.gates)}, and policy.json asks for {asked}")
    if promotion.environment != attested.policy.environment:
        raise Refused(f"promoted in {promotion.environment} under the policy of {attested.policy.environment}")
    if promotion.demo and promotion.environment != LOCAL_ENVIRONMENT:
        raise Refused(f"approved by demo identities, which do not count in environment {promotion.environment}")
    return f"the payload's manifest agrees: risk tier {manifest.tier}{', demonstration only' if manifest.demo else ''}"


def _check_replaced_champion(attested: Attestations, promotion: Promotion) -> str:
    evidence, before = attested.evidence.get("evaluation", attested.last_evidence), promotion.replaces
    if promotion.bar != next_criteria(evidence.adopted, evidence.bar):
        raise Refused("the promotion statement holds the next version to something else than the evaluation gate says")
    if before is None:
        return "it is the first of its model, so there was nothing that it could be lower than"
    if before.tier != promotion.tier and not attested.policy.tier_covers(promotion.tier, before.tier):
        raise Refused(
            f"it replaced {before.release} of risk tier {before.tier}, and its own, {promotion.tier}, is lower"
        )
    return f"it replaced {before.release}, whose risk tier, {before.tier}, is no higher"


def _check_gate(attested: Attestations, gate: GateName, promotion: Promotion, listing: dict[str, str]) -> str:
    claim = gate_statement.read_gate_predicate(attested.verify_gate_signed(f"{bundle.ATTESTATIONS}/gates/{gate}.json"))
    evidence = attested.evidence[gate]
    stage = evidence.subject.stage
    output = bundle.package_digest(listing) if stage == "package" else attested.manifest.stages.get(stage)
    if (claim.gate, claim.verdict) != (gate, "passed"):
        raise Refused(f"gates/{gate}.json does not say that gate {gate} was passed")
    if claim.subject != output or stage != SUBJECT_STAGES.get(gate, stage):
        raise Refused(f"gate {gate} let something else pass than what is in this release")
    if {claim.policy_sha256, evidence.policy_sha256} != {attested.policy.digest()}:
        raise Refused(f"gate {gate} was passed under another policy than policy.json")
    of_evidence = (evidence.gate, evidence.subject.sha256, evidence.demo, evidence.tier)
    if of_evidence != (gate, claim.subject, claim.demo, attested.manifest.tier):
        raise Refused(f"the evidence of gate {gate} is about something else than its statement")
    if (evidence.run, evidence.requested_by) != (promotion.run, promotion.requested_by):
        raise Refused(f"the evidence of gate {gate} is of another run than the promotion statement")
    if (evidence.use_case, evidence.purpose_sha256) != (
        promotion.name, attested.last_evidence.purpose_sha256
    ):  # fmt: skip
        raise Refused(f"the evidence of gate {gate} is about another use case than the promotion statement")
    verify_checks(evidence, attested.policy)
    review_validity.require_valid_review(evidence, attested.signers, attested.policy.environment)
    if evidence.dataset not in (None, attested.dataset):
        raise Refused(f"the evidence of gate {gate} is about another dataset than payload/dataset/manifest.json")
    waived = sum(check.verdict == "failed" for check in evidence.checks)
    held = f"{len(evidence.checks)} checks, {waived} waived" if evidence.checks else "policy asks no check there"
    return f"gate {gate} passed on this very output: {held}"


def _check_decisions(attested: Attestations, gate: GateName, promotion: Promotion, roles: dict[str, str]) -> str:
    """Verify that every required role approved at a gate, and that every failed check was waived in the required role.

    `roles` contains the role in which each person decided at earlier gates. The function adds the roles at this gate.
    """
    evidence = attested.evidence[gate]
    verify_required_decisions(evidence, attested.policy)
    counted = decision_checks.require_valid_decisions(
        attested.decisions(gate), evidence, attested.policy, promotion.time, roles
    )
    roles |= other_decisions.first_roles(counted, roles)
    waived = {name for decision in counted if decision.verb == "waive" for name in decision.checks}
    for role, count, given in required_approvals_from(evidence, counted):
        if len(given) < count:
            raise Refused(f"gate {gate} lacks an approval in role {role}")
    if open_checks := [c.name for c in evidence.checks if c.verdict == "failed" and c.name not in waived]:
        raise Refused(f"gate {gate}: checks failed and nobody waived them: {', '.join(open_checks)}")
    who = sorted({f"{d.person} as {d.role}" for d in counted if d.verb == "approve"})
    if who != promotion.approved_by.get(gate, []):
        raise Refused(f"gate {gate}: the promotion statement names other people than its decisions")
    return f"gate {gate} was approved by {', '.join(who) or 'its checks alone, as policy allows'}"


def _check_request(attested: Attestations, promotion: Promotion) -> str:
    asked = attested.request()
    who = asked.request.requested_by
    if (asked.request.run_id, who) != (promotion.run, promotion.requested_by):
        raise Refused("request.json asks for another run than the promotion statement is about")
    if other := [gate for gate, evidence in attested.evidence.items() if not evidence.is_for_request(asked)]:
        raise Refused(f"the evidence of gate {', '.join(other)} names another request than request.json")
    if asked.request.tree_sha256 != attested.manifest.tree_sha256:
        raise Refused("the package was made from another tree than request.json asks for")
    if asked.request.environment not in (None, attested.policy.environment):
        raise Refused(f"request.json asks for a run in environment {asked.request.environment}")
    for each in sorted(asked.request.requesters):
        if why_not := run_request.refusal_reason(
            each, promotion.tier, promotion.name, attested.policy, attested.people, asked.effective_at
        ):
            raise Refused(f"{each} could not ask for the run: {why_not}")
    return f"{who} asked for the run and signed that, as policy allows"


def _check_judge(attested: Attestations, judge: JudgeInstall | None) -> str:
    if judge is None:
        raise Refused("policy names which Hallmarks judge, and the promotion statement does not say which one did")
    if why := refusal_reason(judge, attested.policy):
        raise Refused(f"it was promoted by what may not judge: {why}")
    return f"it was promoted by {judge}"


def _check_code_signoff(attested: Attestations, promotion: Promotion) -> str:
    signed, policy, tree = attested.code_signoffs(), attested.policy, attested.manifest.tree_sha256
    for each in signed:
        if (
            each.document.verb != "adopt"
            or each.effective_at > promotion.time
            or not sign_off.is_valid_sign_off(each, policy, tree)
        ):
            raise Refused(f"what {each.document.person} signed under its code does not count for this release")
    lacking = sign_off.describe_missing_signature(policy.changes.code, signed)
    if lacking and promotion.environment != LOCAL_ENVIRONMENT:
        raise Refused(f"its version of the code was not signed off: {lacking}")
    by = ", ".join(sign_off.signer_ids(signed))
    if by and not lacking:
        return f"its version of the code, tree {tree[:12]}, was signed off by {by}"
    asked = "policy asks nobody to" if not policy.changes.code else f"as environment {LOCAL_ENVIRONMENT} allows"
    return f"nobody signed its version of the code off, tree {tree[:12]}: {asked}"


def _passed_check(about: str, text: str) -> Check:
    return Check(about=about, state="ok", text=text)
