"""Rules about the subject of a decision: gate, output, policy, evidence and purpose."""

from tasks.gates.rules.claim import DecisionClaim, Rule

SUITES_PATH = "inputs/suites.json"


def refuse_other_gate(claim: DecisionClaim) -> str | None:
    """Return a reason to refuse a decision about another gate, even if both gates are about the same output."""
    said = claim.decision.gate
    return f"it is about gate {said}, and another gate is asked" if said != claim.evidence.gate else None


def refuse_mismatched_output(claim: DecisionClaim) -> str | None:
    """Return a reason to refuse a decision if its evidence is about another output or policy than the decision.

    Decision and evidence then do not belong together: somebody has combined them.
    """
    made_on = claim.own_evidence
    if made_on is None:
        return None
    of_evidence = (made_on.subject.sha256, made_on.policy_sha256)
    if of_evidence != (claim.subject_sha256, claim.decision.policy_sha256):
        return "its evidence is about another output or policy than it says"
    return None


def refuse_mismatched_purpose(claim: DecisionClaim) -> str | None:
    made_on, said = claim.own_evidence, claim.decision
    if made_on is None:
        return None
    of_evidence = (made_on.use_case, made_on.tier, made_on.purpose_sha256)
    if of_evidence != (said.use_case, said.tier, said.purpose_sha256):
        return "its evidence is about another use case or risk tier than it says"
    return None


def refuse_other_output(claim: DecisionClaim) -> str | None:
    asked = claim.evidence.subject
    return "it is about another output" if (claim.stage, claim.subject_sha256) != (asked.stage, asked.sha256) else None


def refuse_other_policy(claim: DecisionClaim) -> str | None:
    """Return a reason to refuse a decision that was made under another policy, whose rules may have been different."""
    return "it was made under another policy" if claim.decision.policy_sha256 != claim.evidence.policy_sha256 else None


def refuse_other_evidence(claim: DecisionClaim) -> str | None:
    """Return a reason to refuse a decision from an earlier run. Only decisions on identical data carry over."""
    if claim.is_carried_over and claim.evidence.gate != "data":
        return "it is about other evidence, of another run perhaps, and only data decisions carry over"
    return None


def refuse_other_expectations(claim: DecisionClaim) -> str | None:
    made_on = claim.own_evidence
    if made_on and made_on.artefacts.get(SUITES_PATH) != claim.evidence.artefacts.get(SUITES_PATH):
        return "other expectations were asked then"
    return None


def refuse_other_purpose(claim: DecisionClaim) -> str | None:
    """Return a reason to refuse an approval or waiver that was given for another purpose or in a lower risk tier.

    Rejections apply to every purpose and tier.
    """
    said, asked = claim.decision, claim.evidence
    if not claim.is_binding:
        return None
    if said.purpose_sha256 != asked.purpose_sha256:
        same = " with another problem, other users or other approved uses on its card"
        return f"it was made for use case {said.use_case}{same * (said.use_case == asked.use_case)}"
    if said.tier != asked.tier and not claim.policy.tier_covers(said.tier, asked.tier):
        return f"it was made in risk tier {said.tier}, and this run is in {asked.tier}, which is no lower one"
    return None


RULES: tuple[Rule, ...] = (
    refuse_other_gate,
    refuse_mismatched_output,
    refuse_mismatched_purpose,
    refuse_other_output,
    refuse_other_policy,
    refuse_other_evidence,
    refuse_other_expectations,
    refuse_other_purpose,
)
