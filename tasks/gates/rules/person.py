"""Rules about who decides: not on their own run, in a required role that they hold, with an accepted key."""

from tasks.core.formatting import format_time
from tasks.gates.evidence import Evidence, EvidenceSummary, RequiredDecisions
from tasks.gates.rules.claim import Claim, Rule


def any_role(claim: Claim) -> str | None:
    if claim.person.roles_at(claim.effective_at):
        return None
    return f"{claim.person.id} held no role on {format_time(claim.effective_at)}, as people.yaml says"


def own_run(claim: Claim) -> str | None:
    """Return a reason to refuse people who requested the run or declared its schedule.

    The rule also applies to the earlier run from which a decision carries over.
    """
    runs = [claim.evidence, *([claim.own_evidence] if claim.own_evidence else [])]
    own = next((each.run for each in runs if claim.person.id in each.requesters), None)
    return f"{claim.person.id} asked for run {own}; nobody decides on their own run" if own else None


def demo_run(claim: Claim) -> str | None:
    made = claim.decision.demo or (claim.own_evidence is not None and claim.own_evidence.demo)
    return "it was made on a demo run" if made and not claim.evidence.demo else None


def demo_identity(claim: Claim) -> str | None:
    """Return a reason to refuse demo identities outside demo runs: everybody can decide as a demo identity."""
    if claim.person.demo and not claim.evidence.demo:
        return f"{claim.person.id} is a demo identity, which decides only on runs made with --demo-approvals"
    return None


def role_asked(claim: Claim) -> str | None:
    """Return a reason to refuse a role that the gate does not require.

    The role is part of the signature, so each decision is for exactly one role.
    """
    said, asked = claim.decision, roles_for(claim.decision.verb, claim.evidence.asks)
    if said.verb == "withdraw" or said.role in asked:
        return None
    if not asked:
        return f"policy asks nobody to {said.verb} at gate {said.gate} in risk tier {claim.evidence.tier}"
    return f"gate {said.gate} does not ask role {said.role} to {said.verb}; it asks {', '.join(asked)}"


def role_held(claim: Claim) -> str | None:
    """Return a reason to refuse a role that the person did not hold at that time, even if they hold it now."""
    said, held = claim.decision, claim.person.roles_at(claim.effective_at)
    if said.verb == "withdraw" or said.role in held:
        return None
    asked = " or ".join(roles_for(said.verb, claim.evidence.asks))
    return (
        f"{said.person} did not hold role {said.role} on {format_time(claim.effective_at)}, but {', '.join(held)}, as "
        f"people.yaml says; to {said.verb} at gate {said.gate} takes role {asked}"
    )


def second_person(claim: Claim) -> str | None:
    """Return a reason to refuse the sole owner of all sources in the role reserved for a second person."""
    said = claim.decision
    if said.verb != "approve" or said.person not in excluded_people(claim.evidence, said.role):
        return None
    return f"{said.person} owns all sources of this run; policy wants somebody besides them in role {said.role}"


def only_owners(claim: Claim) -> str | None:
    said, asks = claim.decision, claim.evidence.asks
    for_owners = {named.role for named in asks.roles if named.owners and asks.owners}
    if said.verb != "approve" or said.role not in for_owners or said.person in asks.owners:
        return None
    return f"{said.person} owns no source of this run; at gate {said.gate} its owners approve: {', '.join(asks.owners)}"


def key_strength(claim: Claim) -> str | None:
    """Return a reason to refuse a key weaker than policy requires: created by `hallmark init`, or not in hardware."""
    wanted = claim.policy.gate(claim.evidence.tier, claim.evidence.gate).signature
    return claim.person.key_weakness(wanted, claim.policy.environment, claim.key_fingerprint) or None


PERSON_RULES: tuple[Rule, ...] = (any_role, own_run, demo_run, demo_identity)
ROLE_RULES: tuple[Rule, ...] = (role_asked, role_held, second_person, only_owners, key_strength)


def roles_for(verb: str, asks: RequiredDecisions) -> list[str]:
    """Return the roles that may approve, reject or waive at a gate. Roles that approve or waive may also reject."""
    asked = [role.role for role in asks.roles]
    waiving = [asks.waive.role] if asks.waive else []
    return {"approve": asked, "waive": waiving}.get(verb, list(dict.fromkeys(asked + waiving)))


def excluded_people(evidence: EvidenceSummary, role: str) -> set[str]:
    """Return people who may not decide in a role: the sole owner of all sources, if policy requires a second person."""
    dataset = evidence.dataset if isinstance(evidence, Evidence) else None
    return set(dataset.owners) if dataset and role == evidence.asks.besides_owner else set()
