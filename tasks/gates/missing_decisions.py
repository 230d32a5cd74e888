"""Decisions that a gate still needs, and from whom, in words."""

from datetime import datetime

from tasks.gates.checks.checks import CheckResult
from tasks.gates.decision_validity import DecisionResult
from tasks.gates.evidence import EvidenceSummary, RequiredDecisions
from tasks.gates.rules.person import excluded_people
from tasks.gates.signed_decision import Decision
from tasks.policy.gate_rules import CHECK_NAMES_OF_EVERY_TIER
from tasks.policy.governance import Governance
from tasks.policy.people import Person


def missing_waivers(failed: list[CheckResult], asks: RequiredDecisions) -> list[str]:
    return [
        f"check {result.name!r} failed ({_result_text(result)}); it needs {_remedy(result, asks)}" for result in failed
    ]


def _remedy(result: CheckResult, asks: RequiredDecisions) -> str:
    if asks.waive is None or not asks.waive.allows_waiver_of(result.name):
        other = (
            "another use-case card or other sources"
            if result.name in CHECK_NAMES_OF_EVERY_TIER.values()
            else "other outputs"
        )
        return f"{other}: policy lets nobody waive it"
    return f"a waiver by role {asks.waive.role}"


def missing_withdrawals(results: list[DecisionResult]) -> list[str]:
    return [
        f"{w.decision.person} rejected the same output in run {w.decision.run} ({w.decision.reason}) and would have to "
        "withdraw that"
        for w in results
        if w.decision and w.is_carried_over and w.decision.verb == "reject"
    ]


def missing_approvals(
    evidence: EvidenceSummary, governance: Governance, results: list[DecisionResult], now: datetime
) -> list[str]:
    missing = []
    for role, count, given in required_approvals(evidence, results):
        left = count - len(given)
        if left > 0:
            able = ", ".join(person.id for person in eligible_approvers(evidence, governance, role, results, now))
            people = f"of {able}" if able else "and nobody in people.yaml may give it on this run"
            missing.append(f"{left} approval{'s' if left > 1 else ''} in role {role}, {people}")
    return missing


def required_approvals(evidence: EvidenceSummary, results: list[DecisionResult]) -> list[tuple[str, int, set[str]]]:
    """Return each role that must approve, the number of people needed, and the people who have validly approved."""
    return required_approvals_from(evidence, [w.decision for w in results if w.decision])


def required_approvals_from(evidence: EvidenceSummary, counted: list[Decision]) -> list[tuple[str, int, set[str]]]:
    given: dict[str, set[str]] = {}
    for decision in counted:
        if decision.verb == "approve":
            given.setdefault(decision.role, set()).add(decision.person)
    owners = len(evidence.asks.owners)
    return [
        (role.role, owners if role.owners and owners else role.count, given.get(role.role, set()))
        for role in evidence.asks.roles
    ]


def eligible_approvers(
    evidence: EvidenceSummary, governance: Governance, role: str, results: list[DecisionResult], now: datetime
) -> list[Person]:
    """Return the people who may still approve in a role.

    The run's requesters, people who have approved in this role and people who have rejected are left out. If the owners
    of the sources must approve, only owners are returned.
    """
    asked = {named.role for named in evidence.asks.roles if named.owners}
    owners = set(evidence.asks.owners) if role in asked else set()
    said = [w.decision for w in results if w.decision]
    done = {d.person for d in said if d.verb == "reject" or (d.verb, d.role) == ("approve", role)}
    return [
        person
        for person in governance.people.holders_of(role, now)
        if person.id not in done | excluded_people(evidence, role) | evidence.requesters
        and (evidence.demo or not person.demo)
        and (not owners or person.id in owners)
    ]


def _result_text(result: CheckResult) -> str:
    if result.name in CHECK_NAMES_OF_EVERY_TIER.values():
        return result.why
    wanted = f"at least {result.at_least:g}" if result.at_least is not None else f"at most {result.at_most:g}"
    figure = {"value": result.value, "low": result.low, "high": result.high}[result.bound]
    bound = "" if result.bound == "value" else f" {result.bound} end"
    return f"{result.fact}{bound} {'does not exist' if figure is None else f'is {figure:g}'}, wanted {wanted}"
