"""Times from which the roles and keys of an adoption are valid: the adoption's own time, whatever people.yaml says.

A person who becomes an approver today must not count as one yesterday. So added roles and keys begin with the adoption,
an extended period applies only to the time after it, and a demo identity that becomes a person starts without a past.
Removals, ends and revocations also apply to the past, because a theft may be discovered late. Only the first adoption
can define roles and keys for the time before it.
"""

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import TypeVar

from tasks.core.errors import Refused
from tasks.policy.people import MACHINES, Machine, People, Person
from tasks.trust.validity import Key, Period

Held = TypeVar("Held", bound=Period)


def effective_people(said: People, before: People, at: datetime) -> People:
    """Return people with the periods of roles and keys that are in force after an adoption.

    Args:
        said: People as written in the adoption.
        before: People as they were in force before.
        at: Time of the adoption.

    Raises:
        Refused: A person or machine is added with no role or key that could ever be valid.
    """
    machines = {
        name: Machine(keys=_keys(name, said.keys_of_machine(name), before.keys_of_machine(name), at))
        for name in MACHINES
        if name in said.machines
    }
    return People(people=[_person(person, before.get(person.id), at) for person in said.people], machines=machines)


def _person(said: Person, before: Person | None, at: datetime) -> Person:
    if before and before.demo and not said.demo:
        before = None
    roles = [
        piece
        for held in said.roles
        for piece in _effective_parts(
            held, [each for each in before.roles if each.role == held.role] if before else [], at
        )
    ]
    if not roles:
        raise Refused(f"every role that {said.id} is given had ended before; leave them out, or give one that counts")
    return said.model_copy(
        update={"roles": roles, "keys": _keys(said.id, said.keys, before.keys if before else [], at)}
    )


def _keys(whose: str, said: Sequence[Key], before: Iterable[Key], at: datetime) -> list[Key]:
    known = {key.fingerprint: key for key in before}
    pieces = [
        piece
        for key in said
        for piece in _effective_parts(key, [known[key.fingerprint]] if key.fingerprint in known else [], at)
    ]
    if said and not pieces:
        raise Refused(f"every key that {whose} is given had ended before; give one that counts")
    return pieces


def _effective_parts(said: Held, before: Sequence[Held], at: datetime) -> list[Held]:
    """Return the parts of a period that are in force. Parts that adjoin at `at` are merged.

    The time before `at` is included only as far as the periods in `before` cover it.
    """
    past = [piece for each in before if (piece := said.clipped(each.valid_after, _earlier_end(each.valid_before, at)))]
    if not (since := said.clipped(at, None)):
        return past
    ended = [piece for piece in past if piece.valid_before != at]
    going_on = [said.clipped(piece.valid_after, None) for piece in past if piece.valid_before == at]
    return [*ended, *([piece for piece in going_on if piece] or [since])]


def _earlier_end(end: datetime | None, at: datetime) -> datetime:
    return min(end, at) if end else at
