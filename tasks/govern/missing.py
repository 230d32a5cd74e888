"""What a gate still wants, and from whom, in words."""

from tasks.govern.evidence import CheckResult, Evidence
from tasks.govern.governance import Governance
from tasks.govern.people import Person
from tasks.govern.policy import Gate
from tasks.govern.weigh import Weighed


def missing_waivers(failed: list[CheckResult], rules: Gate) -> list[str]:
    way = f"a waiver by role {rules.waive}" if rules.waive else "other outputs: policy lets nobody waive it"
    return [f"check {result.name!r} failed ({_shown(result)}); it needs {way}" for result in failed]


def missing_withdrawals(weighed: list[Weighed]) -> list[str]:
    """Rejections of the same output at an earlier run's gate: they stand until whoever made them takes them back."""
    return [
        f"{w.decision.person} rejected the same output in run {w.decision.run} ({w.decision.reason}) and would have to "
        f"withdraw that"
        for w in weighed
        if w.decision and w.carried and w.decision.verb == "reject"
    ]


def missing_approvals(evidence: Evidence, governance: Governance, rules: Gate, weighed: list[Weighed]) -> list[str]:
    missing = []
    for role, count, given in needed(evidence, rules, weighed):
        left = count - len(given)
        if left > 0:
            able = ", ".join(person.id for person in eligible(evidence, governance, role, weighed))
            people = f"of {able}" if able else "and nobody in people.yaml may give it on this run"
            missing.append(f"{left} approval{'s' if left > 1 else ''} in role {role}, {people}")
    return missing


def needed(evidence: Evidence, rules: Gate, weighed: list[Weighed]) -> list[tuple[str, int, set[str]]]:
    """Each role that must approve, how many of it, and who of those that count has."""
    given: dict[str, set[str]] = {}
    for w in weighed:
        if w.decision and w.decision.verb == "approve":
            given.setdefault(w.decision.role, set()).add(w.decision.person)
    return [
        (role.role, len(owners), given.get(role.role, set()) & owners)
        if role.owners and (owners := set(evidence.asks.owners))
        else (role.role, role.count, given.get(role.role, set()))
        for role in rules.decisions
    ]


def eligible(evidence: Evidence, governance: Governance, role: str, weighed: list[Weighed]) -> list[Person]:
    """Who may still approve in a role: not the requester, not who approved in it, not who rejected at all; where owners
    are asked, only they."""
    asked = {named.role for named in evidence.asks.roles if named.owners}
    owners = set(evidence.asks.owners) if role in asked else set()
    said = [w.decision for w in weighed if w.decision]
    done = {d.person for d in said if d.verb == "reject" or (d.verb, d.role) == ("approve", role)}
    return [
        person
        for person in governance.people.with_role(role)
        if person.id not in done | {evidence.requested_by}
        and (evidence.demo or not person.demo)
        and (not owners or person.id in owners)
    ]


def _shown(result: CheckResult) -> str:
    wanted = f"at least {result.at_least:g}" if result.at_least is not None else f"at most {result.at_most:g}"
    figure = {"value": result.value, "low": result.low, "high": result.high}[result.bound]
    bound = "" if result.bound == "value" else f" {result.bound} end"
    return f"{result.fact}{bound} {'does not exist' if figure is None else f'is {figure:g}'}, wanted {wanted}"
