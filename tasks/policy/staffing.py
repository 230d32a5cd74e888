"""Check whether enough people hold the roles that policy requires, given that different people must decide.

The check of policy.yaml as a whole requires that at least one requester's run could pass every gate of every tier. The
check of one run uses its actual requester, source owners and current role holders.

If files are checked without a time, roles that have ended or have not begun count as held. Files therefore do not
become invalid as time passes, and decisions of people who left stay valid.

People are assigned to roles by bipartite matching, because one person can hold several of the roles that different
people must fill.
"""

from collections.abc import Collection, Iterable, Sequence
from datetime import datetime
from pathlib import Path
from typing import NamedTuple

from tasks.core.documents import config
from tasks.policy.gate_rules import AUDITOR_ROLE, GateRules, RequiredRole
from tasks.policy.people import People, Person
from tasks.policy.policy import LOCAL_ENVIRONMENT, Policy
from tasks.policy.tier import SCHEDULER, Tier

YamlPath = list[str | int]


class RoleNeed(NamedTuple):
    role: str
    seats: int
    people: frozenset[str]


def policy_problems(policy: Policy, people: People, path: Path, at: datetime | None = None) -> list[str]:
    """Return requirements of policy.yaml that nobody can satisfy, each with its line in the file.

    Args:
        policy: Policy to check.
        people: People who hold roles.
        path: Path of policy.yaml, for the messages.
        at: Time at which people must hold the roles; None for any time.
    """
    unmet = list(_located_problems(policy, people, at))
    document = config.read_yaml(path) if unmet else None
    return [
        f"{path}:{config.find_line_number(document, where)}: {'.'.join(map(str, where))}: "
        f"policy that nobody can satisfy: {text}"
        for where, text in unmet
    ]


def demo_only_tiers(policy: Policy, people: People) -> list[str]:
    """Return the risk tiers in which only runs with demo approvals could pass, each with the reason."""
    if policy.environment != LOCAL_ENVIRONMENT:
        return []
    missing = {name: _tier_problem(policy, tier, people, None, demo=False) for name, tier in policy.tiers.items()}
    return [
        f"risk tier {name}: only runs with --demo-approvals can pass, since {text}"
        for name, text in missing.items()
        if text
    ]


def run_staffing_problem(
    policy: Policy,
    people: People,
    tier_name: str,
    requesters: Collection[str],
    owners: Sequence[str],
    demo: bool,
    now: datetime,
) -> str:
    """Return the reason why a run could never pass its gates; empty if it could.

    Args:
        policy: Policy in force.
        people: People in force.
        tier_name: Risk tier of the run.
        requesters: Ids of the run's requesters, who are not allowed to decide.
        owners: Ids of the owners of the run's sources.
        demo: Whether demo identities may decide.
        now: Time at which people must hold the roles.
    """
    tier = policy.tier(tier_name)
    for name, gate in tier.gates.items():
        asked = owners if name == "data" and gate.requires_owners and not demo else []
        able = {person.id for person in _possible_deciders(policy, people, gate, demo, now)}.difference(requesters)
        for role in _required_roles(tier, name, gate, owners):
            held = {person.id for person in people.holders_of(role.role, now)}
            lacking = [owner for owner in asked if role.owners and owner not in held & able]
            if lacking:
                return f"{', '.join(lacking)} must approve their data in role {role.role}, and cannot"
    missing = _staffing_problem(policy, tier, people, requesters, owners, demo, now)
    return f"gates of risk tier {tier_name} could not pass: {missing}" if missing else ""


def _located_problems(policy: Policy, people: People, at: datetime | None) -> Iterable[tuple[YamlPath, str]]:
    yield from _auditor_problems(policy)
    yield from _team_problems(policy, people, at)
    lacking = set()
    for where, role, count in role_duties(policy):
        holders = _role_holders(policy, people, role, at)
        if len(holders) < count:
            too_few = f"it wants {count} with role {role}, people.yaml has {len(holders)}"
            lacking.add(where[1])
            yield where, f"{too_few}; give somebody the role or change the policy"
    for what, signers in policy.changes.roles_by_subject():
        if missing := _shortage_text([_command_signer_need(role, people, at) for role in signers]):
            alone = sorted(person.id for person in people.people if person.has_only_passkeys())
            told = f"; passkeys sign no changes, and {', '.join(alone)} has nothing else" if alone else ""
            yield ["changes", what], f"each signs once, and {missing}{told}"
    for name, tier in policy.tiers.items():
        if not _can_roll_back(tier):
            yield (
                ["tiers", name, "gates", "release"],
                "nobody could order a rollback, since no role decides here; name one under `decisions`, or give the "
                "tier `break_glass`",
            )
        workers = len(people.keys_of_machine("worker")) or 1  # the key made by `hallmark init`
        if tier.machines > workers:
            yield (
                ["tiers", name, "machines"],
                (
                    f"a release takes {tier.machines} machines, and people.yaml has keys of {workers}; add one for "
                    "each under machines.worker"
                ),
            )
        demo = policy.environment == LOCAL_ENVIRONMENT
        problem = "" if name in lacking else _tier_problem(policy, tier, people, at, demo)
        if problem:
            yield ["tiers", name], problem


def _team_problems(policy: Policy, people: People, at: datetime | None) -> Iterable[tuple[YamlPath, str]]:
    for name, team in policy.teams.items():
        where: YamlPath = ["teams", name, "people"]
        if unknown := [each for each in team.people if people.get(each) is None]:
            yield where, f"people.yaml has no {', '.join(unknown)}; add them there or take them out here"
            continue
        tiers = [policy.tiers[tier] for tier in team.risk_tiers or policy.tiers]
        held = {each: person.roles_at(at) for each in team.people if (person := people.get(each))}
        able = any(roles and not tier.request_refusal(each, roles) for tier in tiers for each, roles in held.items())
        if not able and not any(tier.scheduler for tier in tiers):
            yield where, f"nobody of team {name} may request a run; give somebody a role that may, or name others"


def _auditor_problems(policy: Policy) -> Iterable[tuple[YamlPath, str]]:
    asked: list[tuple[YamlPath, str]] = [(where, role) for where, role, _ in role_duties(policy)]
    asked += [(["changes", what], role.role) for what, roles in policy.changes.roles_by_subject() for role in roles]
    asked += [(["tiers", name], role) for name, tier in policy.tiers.items() for role in tier.requesters or []]
    wrong = f"role {AUDITOR_ROLE} reads and changes nothing; name another"
    yield from ((where, wrong) for where, role in asked if role == AUDITOR_ROLE)


def _can_roll_back(tier: Tier) -> bool:
    """Return whether a release could be rolled back. Those who decide at the release gate order it, or break_glass."""
    release = tier.gates.get("release")
    return release is None or bool(release.decisions or tier.break_glass)


def _tier_problem(policy: Policy, tier: Tier, people: People, at: datetime | None, demo: bool) -> str:
    requesters = [SCHEDULER] if tier.scheduler else []
    requesters += [p.id for p in people.people if p.roles_at(at) and not tier.request_refusal(p.id, p.roles_at(at))]
    if not requesters:
        return f"nobody may ask for a run: {tier.request_refusal('somebody', [])}"
    short = [_staffing_problem(policy, tier, people, [requester], [], demo, at) for requester in requesters]
    return "" if "" in short else f"whoever asks for the run, {short[0]}"


def _staffing_problem(
    policy: Policy,
    tier: Tier,
    people: People,
    requesters: Collection[str],
    owners: Sequence[str],
    demo: bool,
    at: datetime | None,
) -> str:
    needs: dict[str, RoleNeed] = {}
    for name, gate in tier.gates.items():
        able = {person.id for person in _possible_deciders(policy, people, gate, demo, at)}.difference(requesters)
        for role in _required_roles(tier, name, gate, owners):
            barred = set(owners) if role.role == tier.separation.sole_owner and len(owners) == 1 else set()
            fit = frozenset(person.id for person in people.holders_of(role.role, at) if person.id in able - barred)
            if len(fit) < role.count:
                return f"gate {name} wants {role.count} with role {role.role}, and {len(fit)} could decide"
            before = needs.get(role.role, RoleNeed(role.role, 0, fit))
            needs[role.role] = RoleNeed(role.role, max(before.seats, role.count), before.people & fit)
    missing = "" if tier.separation.two_roles else _shortage_text(list(needs.values()))
    return f"nobody may decide in two roles, and {missing}" if missing else ""


def _required_roles(tier: Tier, name: str, gate: GateRules, owners: Sequence[str]) -> list[RequiredRole]:
    besides = tier.separation.sole_owner if name == "data" and len(owners) == 1 else None
    asked = {role.role for role in gate.decisions}
    return [*gate.decisions, *([RequiredRole(role=besides)] if besides and besides not in asked else [])]


def _shortage_text(needs: list[RoleNeed]) -> str:
    need = first_unfilled_need(needs)
    return (
        f"no other person is left for role {need.role} ({', '.join(sorted(need.people)) or 'nobody'})" if need else ""
    )


def first_unfilled_need(needs: list[RoleNeed]) -> RoleNeed | None:
    """Return the first role for which no other person is left; None if different people can fill all roles."""
    taken: dict[str, int] = {}
    seats = [need for need in needs for _ in range(need.seats)]
    return next((need for number, need in enumerate(seats) if not _assign_seat(number, seats, taken, set())), None)


def _assign_seat(number: int, seats: list[RoleNeed], seat_by_person: dict[str, int], tried: set[str]) -> bool:
    """Assign a person to a seat, and move others to other seats if necessary (Kuhn's algorithm)."""
    for person in sorted(seats[number].people - tried):
        tried.add(person)
        if person not in seat_by_person or _assign_seat(seat_by_person[person], seats, seat_by_person, tried):
            seat_by_person[person] = number
            return True
    return False


def role_duties(policy: Policy) -> list[tuple[YamlPath, str, int]]:
    """Return a tuple for each place in policy.yaml that gives a role a duty in a tier: path, role, number of people."""
    wanted: list[tuple[YamlPath, str, int]] = []
    for tier_name, tier in policy.tiers.items():
        for gate_name, gate in tier.gates.items():
            where: YamlPath = ["tiers", tier_name, "gates", gate_name]
            wanted += [([*where, "decisions", i], role.role, role.count) for i, role in enumerate(gate.decisions)]
            wanted += [([*where, "waive"], gate.waive.role, 1)] if gate.waive else []
            wanted += [([*where, "escalate"], gate.escalate.role, 1)] if gate.escalate else []
        if tier.separation.sole_owner:
            wanted.append((["tiers", tier_name, "separation"], tier.separation.sole_owner, 1))
        if emergency := tier.break_glass:
            same = 1 + (emergency.role == emergency.confirm_role)
            wanted += [
                (["tiers", tier_name, "break_glass"], role, same) for role in {emergency.role, emergency.confirm_role}
            ]
    return wanted


def _role_holders(policy: Policy, people: People, role: str, at: datetime | None) -> list[Person]:
    """Return the holders of a role. Demo identities are included only in environment `local`."""
    return [
        person for person in people.holders_of(role, at) if policy.environment == LOCAL_ENVIRONMENT or not person.demo
    ]


def _possible_deciders(
    policy: Policy, people: People, gate: GateRules, demo: bool, at: datetime | None
) -> list[Person]:
    return [
        person
        for person in people.people
        if person.roles_at(at)
        and (demo or not person.demo)
        and not person.key_weakness(gate.signature, policy.environment)
    ]


def _command_signer_need(role: RequiredRole, people: People, at: datetime | None) -> RoleNeed:
    """Return the number of signers that a change needs in a role, and the people who can sign with a command.

    Passkeys work only in a browser, so people who have only passkeys are left out.
    """
    able = [person for person in people.holders_of(role.role, at) if not person.has_only_passkeys()]
    return RoleNeed(role.role, role.count, _ids_without_demo(able))


def _ids_without_demo(people: list[Person]) -> frozenset[str]:
    return frozenset(person.id for person in people if not person.demo)
