"""Rules about who decides: not on their own run, in a required role that they hold, with an accepted key."""

from tasks.core.formatting import format_time
from tasks.gates.evidence import Evidence, EvidenceSummary, RequiredDecisions
from tasks.gates.rules.claim import DecisionClaim, Rule


def refuse_without_role(claim: DecisionClaim) -> str | None:
    if claim.person.roles_at(claim.effective_at):
        return None
    return f"{claim.person.id} held no role on {format_time(claim.effective_at)}, as people.yaml says"


def refuse_own_run(claim: DecisionClaim) -> str | None:
    """Return a reason to refuse a decision by a person who requested the run or declared its schedule or trigger.

    If the decision carries over from an earlier run, the rule also applies to the requesters of that run.
    """
    runs = [claim.evidence, *([claim.own_evidence] if claim.own_evidence else [])]
    own = next((each.run for each in runs if claim.person.id in each.requesters), None)
    return f"{claim.person.id} asked for run {own}; nobody decides on their own run" if own else None


def refuse_demo_run(claim: DecisionClaim) -> str | None:
    made = claim.decision.demo or (claim.own_evidence is not None and claim.own_evidence.demo)
    return "it was made on a demo run" if made and not claim.evidence.demo else None


def refuse_demo_identity(claim: DecisionClaim) -> str | None:
    """Return a reason to refuse a demo identity's decision outside a demo run. Anybody can act as a demo identity."""
    if claim.person.demo and not claim.evidence.demo:
        return f"{claim.person.id} is a demo identity, which decides only on runs made with --demo-approvals"
    return None


def refuse_unrequired_role(claim: DecisionClaim) -> str | None:
    """Return a reason to refuse a decision in a role that the gate does not require.

    The role is part of the signed decision, so each decision is for exactly one role.
    """
    said, asked = claim.decision, roles_for(claim.decision.verb, claim.evidence.asks)
    if said.verb == "withdraw" or said.role in asked:
        return None
    if not asked:
        return f"policy asks nobody to {said.verb} at gate {said.gate} in risk tier {claim.evidence.tier}"
    return f"gate {said.gate} does not ask role {said.role} to {said.verb}; it asks {', '.join(asked)}"


def refuse_role_not_held(claim: DecisionClaim) -> str | None:
    """Return a reason to refuse a decision in a role that the person did not hold at that time, but may hold now."""
    said, held = claim.decision, claim.person.roles_at(claim.effective_at)
    if said.verb == "withdraw" or said.role in held:
        return None
    asked = " or ".join(roles_for(said.verb, claim.evidence.asks))
    return (
        f"{said.person} did not hold role {said.role} on {format_time(claim.effective_at)}, but {', '.join(held)}, as "
        f"people.yaml says; to {said.verb} at gate {said.gate} takes role {asked}"
    )


def refuse_sole_owner(claim: DecisionClaim) -> str | None:
    """Return a reason to refuse an approval by the sole owner of all sources in the role for a second person."""
    said = claim.decision
    if said.verb != "approve" or said.person not in excluded_people(claim.evidence, said.role):
        return None
    return f"{said.person} owns all sources of this run; policy wants somebody besides them in role {said.role}"


def refuse_non_owner(claim: DecisionClaim) -> str | None:
    said, asks = claim.decision, claim.evidence.asks
    for_owners = {named.role for named in asks.roles if named.owners and asks.owners}
    if said.verb != "approve" or said.role not in for_owners or said.person in asks.owners:
        return None
    return f"{said.person} owns no source of this run; at gate {said.gate} its owners approve: {', '.join(asks.owners)}"


def refuse_weak_key(claim: DecisionClaim) -> str | None:
    """Return a reason to refuse a decision signed with a key that is weaker than policy requires.

    Policy can refuse keys that `hallmark init` created, and keys that are not in hardware.
    """
    wanted = claim.policy.gate(claim.evidence.tier, claim.evidence.gate).signature
    return claim.person.key_weakness(wanted, claim.policy.environment, claim.key_fingerprint) or None


PERSON_RULES: tuple[Rule, ...] = (refuse_without_role, refuse_own_run, refuse_demo_run, refuse_demo_identity)
ROLE_RULES: tuple[Rule, ...] = (
    refuse_unrequired_role,
    refuse_role_not_held,
    refuse_sole_owner,
    refuse_non_owner,
    refuse_weak_key,
)


def roles_for(verb: str, asks: RequiredDecisions) -> list[str]:
    """Return the roles in which a decision of this kind is allowed. Roles that approve or waive can also reject."""
    asked = [role.role for role in asks.roles]
    waiving = [asks.waive.role] if asks.waive else []
    return {"approve": asked, "waive": waiving}.get(verb, list(dict.fromkeys(asked + waiving)))


def excluded_people(evidence: EvidenceSummary, role: str) -> set[str]:
    """Return the people who are not allowed to approve in a role.

    If policy requires a second person in the role and one person owns all sources, that owner is excluded. Otherwise
    nobody is.
    """
    dataset = evidence.dataset if isinstance(evidence, Evidence) else None
    return set(dataset.owners) if dataset and role == evidence.asks.besides_owner else set()
