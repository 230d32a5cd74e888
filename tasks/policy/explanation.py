"""Description of a policy in words: for each risk tier and gate the checks, roles, waivers and deadlines."""

from collections.abc import Iterator

from tasks.policy import teams
from tasks.policy.gate_rules import (
    AUDITOR_ROLE,
    CHECK_NAMES_OF_EVERY_TIER,
    DETECTOR_CHECK,
    Check,
    GateRules,
    KeyStrength,
    RequiredDetector,
    RequiredRole,
)
from tasks.policy.people import People
from tasks.policy.policy import Policy, SignOffRoles
from tasks.policy.teams import Team
from tasks.policy.tier import Tier
from tasks.trust.gate_statement import GateName

KEY_STRENGTH_TEXTS: dict[KeyStrength, str] = {
    "installed": "keys made by `hallmark init` count too (in environment local)",
    "own": "only keys that people.yaml gives count",
    "hardware": "only keys of FIDO2 authenticators that people.yaml gives count, touched for each signature",
}


def explanation_lines(policy: Policy, people: People) -> Iterator[str]:
    """Yield the description line by line, indented by level. Each role is followed by its holders in `people`."""
    yield f"environment {policy.environment}"
    yield from (f"  {line}" for line in _sign_off_lines(policy.changes, people))
    named = ", ".join(policy.location_variables) or "none"
    yield f"  environment variables by which sources may be found: {named}"
    for what, listed in policy.base_models:
        places = ["the checkout", *listed] if what == "folders" else listed
        yield f"  {what} of base models: {'any' if places is None else ', '.join(places) or 'none'}"
    for name, tier in policy.tiers.items():
        yield f"risk tier {name}"
        yield from (f"  {line}" for line in _tier_lines(tier, people))
    for name, team in policy.teams.items():
        yield f"team {name}"
        yield from (f"  {line}" for line in _team_lines(team, policy, people))


def _sign_off_lines(changes: SignOffRoles, people: People) -> Iterator[str]:
    for what, roles in changes.roles_by_subject():
        about = "versions of the code" if what == "code" else f"changes to {what}.yaml"
        nobody = "nobody" if what == "code" else "the root key alone"
        yield f"{about} are signed off by {_roles_text(roles, people) or nobody}"


def _tier_lines(tier: Tier, people: People) -> Iterator[str]:
    if tier.level is not None:
        yield (f"level {tier.level}: approvals of data count at lower levels too, and a champion of a higher one stays")
    asking = "everybody in people.yaml" if tier.requesters is None else " or ".join(
        _holders_text(role, people) for role in tier.requesters
    )  # fmt: skip
    if tier.machines > 1:
        yield f"{tier.machines} machines make the same of a run, stage by stage, before its release gate asks"
    both = [*([asking] if asking else []), *(["the scheduler"] if tier.scheduler else [])]
    yield f"runs are asked for by {' or '.join(both)}"
    if not tier.gates:
        yield "no gates: nobody is asked, and what it makes is never promoted"
        return
    yield "nobody decides on a run of their own"
    if not tier.separation.two_roles:
        yield "nobody's approvals and waivers count in two roles of a run"
    if tier.separation.sole_owner:
        besides = _holders_text(tier.separation.sole_owner, people)
        yield f"where one person owns all data, {besides}, who is not that person, approves it too"
    if emergency := tier.break_glass:
        acts, confirms = _holders_text(emergency.role, people), _holders_text(emergency.confirm_role, people)
        yield (
            f"in an emergency {acts} goes back to an earlier champion at once; somebody else, {confirms}, confirms it "
            f"within {emergency.confirm_hours:g} hours"
        )
    for name, gate in tier.gates.items():
        yield f"gate {name}"
        yield from (f"  {line}" for line in _gate_lines(name, gate, people))


def _team_lines(team: Team, policy: Policy, people: People) -> Iterator[str]:
    yield f"answers for {', '.join(team.use_cases)}"
    yield f"{', '.join(team.people)} may ask for runs of these, if the risk tier lets them, and see the runs"
    seen_by = " and ".join(_holders_text(role, people) for role in (AUDITOR_ROLE, *policy.overseers))
    yield f"{seen_by} see them too, and so does who owns their data or decides on them"
    yield f"risk tiers: {', '.join(team.risk_tiers or policy.tiers)}"
    yield from teams.describe_quota(team.quota)


def _gate_lines(name: GateName, gate: GateRules, people: People) -> Iterator[str]:
    for check in gate.checks:
        yield f"checks that {check.name}: {_check_text(check)}"
    if name in CHECK_NAMES_OF_EVERY_TIER:
        yield f"checks, as in every tier, that {CHECK_NAMES_OF_EVERY_TIER[name]}"
    if gate.detectors:
        yield f"checks that {DETECTOR_CHECK}: {'; '.join(map(_detector_text, gate.detectors))}"
    if gate.success_metrics:
        yield "checks the success metrics of the use-case card"
    yield f"is approved by {_roles_text(gate.decisions, people) or 'its checks alone'}"
    if gate.waive is None:
        yield "nobody may waive a failed check"
    else:
        which = "any failed check" if gate.waive.checks is None else ", ".join(map(repr, gate.waive.checks))
        yield f"{_holders_text(gate.waive.role, people)} may waive {which} for up to {gate.waive.max_days:g} days"
    reminded = f"; reminders after {', '.join(f'{day:g}' for day in gate.remind_days)}" if gate.remind_days else ""
    late = gate.escalate
    escalation = f"; {_holders_text(late.role, people)} is told after {late.after_days:g}" if late else ""
    yield f"decisions count for {gate.deadline_days:g} days{reminded}{escalation}"
    yield KEY_STRENGTH_TEXTS[gate.signature]


def _detector_text(required: RequiredDetector) -> str:
    languages = f"records in {', '.join(required.languages)}" if required.languages else "all records"
    return f"{', '.join(required.categories)} in {languages}"


def _check_text(check: Check) -> str:
    wanted = f"at least {check.at_least:g}" if check.at_least is not None else f"at most {check.at_most:g}"
    bound = "" if check.bound == "value" else f", {check.bound} end of its interval"
    return f"{check.fact}{bound} {wanted}" + (", where it exists" if check.optional else "")


def _roles_text(roles: list[RequiredRole], people: People) -> str:
    return " and ".join(_role_text(role, people) for role in roles)


def _role_text(role: RequiredRole, people: People) -> str:
    if role.owners:
        return f"every owner of a source, each in role {role.role}"
    return f"{role.count} in role {role.role} ({_holder_names(role.role, people)})"


def _holders_text(role: str, people: People) -> str:
    return f"role {role} ({_holder_names(role, people)})"


def _holder_names(role: str, people: People) -> str:
    return ", ".join(person.id for person in people.holders_of(role, None) if not person.demo) or "nobody"
