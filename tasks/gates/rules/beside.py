"""What a decision is beside the others that count at its gate: withdrawn, said before, or in a second role."""

from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

from tasks.gates.rules.claim import BINDING
from tasks.gates.signed_decision import Decision

Roles = Mapping[str, str]
"""The role in which each person decided first."""


class Placed(NamedTuple):
    """A decision that counts, were it alone."""

    decision: Decision
    sha256: str
    """Of its envelope, by which withdrawals name it."""
    place: str
    """Where it is, in words."""


def why_not(those: Sequence[Placed | None], roles: Roles | None) -> list[str | None]:
    """Of each why it does not count beside the others, oldest first; None where it does, and for None.

    `roles` are those of the run's earlier gates; None where policy lets a person take several.
    """
    withdrawn = _withdrawn(those)
    reasons = [withdrawn.get((each.decision.person, each.sha256)) if each else None for each in those]
    places: dict[object, str] = {}
    taken = dict(roles or {})
    for number, each in enumerate(those):
        if each is None or reasons[number]:
            continue
        reasons[number] = _repeated(each, places)
        if roles is not None and not reasons[number]:
            reasons[number] = another_role(each.decision, taken)
        taken = first_roles([each.decision], taken)
    return reasons


def another_role(decision: Decision, roles: Roles) -> str | None:
    """Approvals and waivers of one person in a run count in one role. A rejection stops it in any."""
    first = roles.get(decision.person, decision.role)
    if decision.verb not in BINDING or first == decision.role:
        return None
    return f"{decision.person} decides in role {first} in this run, and policy lets nobody decide in two"


def first_roles(decisions: Iterable[Decision], roles: Roles) -> dict[str, str]:
    """The roles once more decisions were made."""
    taken = dict(roles)
    for decision in decisions:
        if decision.verb in BINDING:
            taken.setdefault(decision.person, decision.role)
    return taken


def _withdrawn(those: Iterable[Placed | None]) -> dict[tuple[str, str], str]:
    """A withdrawal reaches every copy of the envelopes that it names, wherever it stands. It is of one's own alone."""
    return {
        (each.decision.person, sha256): f"withdrawn by {each.place}"
        for each in those
        if each and each.decision.verb == "withdraw"
        for sha256 in each.decision.withdraws
    }


def _repeated(each: Placed, places: dict[object, str]) -> str | None:
    """Said twice is said once, or one person would count as two.

    A rejection of an earlier run lets nobody approve here; said here as well, it ends this run.
    """
    said = each.decision
    if said.verb == "withdraw":
        return None
    run = said.run if said.verb == "reject" else ""
    key = (said.person, said.verb, run, said.role, *said.checks, said.expires)
    if key in places:
        return f"says the same as {places[key]}"
    places[key] = each.place
    return None
