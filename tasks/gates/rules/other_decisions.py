"""Rules that compare a decision with the others at its gate: withdrawn, repeated, or made in a second role."""

from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

from tasks.gates.rules.claim import BINDING_VERBS
from tasks.gates.signed_decision import Decision

RoleByPerson = Mapping[str, str]


class RecordedDecision(NamedTuple):
    """Decision that satisfies the rules which apply to it alone, with its digest and its ledger entry."""

    decision: Decision
    sha256: str
    location: str
    """Description of where the envelope is recorded, for example `entry 7`."""


def refusal_reasons(decisions: Sequence[RecordedDecision | None], roles: RoleByPerson | None) -> list[str | None]:
    """Return, for each decision, the reason why another decision invalidates it, or None.

    Args:
        decisions: Decisions in the order in which they were made; None for a decision that is already invalid.
        roles: Role of each person at the run's earlier gates; None if policy lets a person decide in several roles.
    """
    withdrawn = _withdrawal_reasons(decisions)
    reasons = [withdrawn.get((each.decision.person, each.sha256)) if each else None for each in decisions]
    places: dict[object, str] = {}
    taken = dict(roles or {})
    for number, each in enumerate(decisions):
        if each is None or reasons[number]:
            continue
        reasons[number] = _refuse_repetition(each, places)
        if roles is not None and not reasons[number]:
            reasons[number] = refuse_second_role(each.decision, taken)
        taken = first_roles([each.decision], taken)
    return reasons


def refuse_second_role(decision: Decision, roles: RoleByPerson) -> str | None:
    """Return a reason to refuse an approval or waiver in a second role. Rejections are accepted in any role."""
    first = roles.get(decision.person, decision.role)
    if decision.verb not in BINDING_VERBS or first == decision.role:
        return None
    return f"{decision.person} decides in role {first} in this run, and policy lets nobody decide in two"


def first_roles(decisions: Iterable[Decision], roles: RoleByPerson) -> dict[str, str]:
    """Return the first role in which each person decided. `roles` contains the roles from the run's earlier gates."""
    taken = dict(roles)
    for decision in decisions:
        if decision.verb in BINDING_VERBS:
            taken.setdefault(decision.person, decision.role)
    return taken


def _withdrawal_reasons(decisions: Iterable[RecordedDecision | None]) -> dict[tuple[str, str], str]:
    """Return a reason for each withdrawn envelope, by person and digest. All copies of an envelope are withdrawn."""
    return {
        (each.decision.person, sha256): f"withdrawn by {each.location}"
        for each in decisions
        if each and each.decision.verb == "withdraw"
        for sha256 in each.decision.withdraws
    }


def _refuse_repetition(recorded: RecordedDecision, location_by_key: dict[object, str]) -> str | None:
    """Return why a repeated decision is refused, or None. A person's approval must not count twice.

    A rejection in this run does not repeat one in an earlier run. The earlier one only keeps the gate from passing, and
    the one in this run ends it.
    """
    said = recorded.decision
    if said.verb == "withdraw":
        return None
    run = said.run if said.verb == "reject" else ""
    key = (said.person, said.verb, run, said.role, *said.checks, said.expires)
    if key in location_by_key:
        return f"says the same as {location_by_key[key]}"
    location_by_key[key] = recorded.location
    return None
