"""From when on what an adoption gives counts: from its own time, for nothing before, whatever people.yaml says.

Who is made approver today has approved nothing yesterday. So roles and keys that an adoption adds begin with it, those
that it gives longer or from earlier on do so for what comes after it, and whoever was a demo identity begins anew. What
it takes away, ends or revokes counts for the past too: a theft is found out later. The first adoption says what counted
before there were any.
"""

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import TypeVar

from tasks.core.errors import Refused
from tasks.policy.people import MACHINES, Machine, People, Person
from tasks.trust.validity import Key, Period

Held = TypeVar("Held", bound=Period)


def people(said: People, before: People, at: datetime) -> People:
    """People as they count once they were adopted `at` then; `before`: as they counted until then.

    Raises Refused for somebody who is added with nothing that could ever count. That no key which had ended counts
    again is asked before this (ended.py).
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
        for piece in _pieces(held, [each for each in before.roles if each.role == held.role] if before else [], at)
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
        for piece in _pieces(key, [known[key.fingerprint]] if key.fingerprint in known else [], at)
    ]
    if said and not pieces:
        raise Refused(f"every key that {whose} is given had ended before; give one that counts")
    return pieces


def _pieces(said: Held, before: Sequence[Held], at: datetime) -> list[Held]:
    """The times of `said` that count: before `at` only those of `before` too. What goes on across `at` is one."""
    past = [piece for each in before if (piece := said.within(each.valid_after, _first(each.valid_before, at)))]
    if not (since := said.within(at, None)):
        return past
    ended = [piece for piece in past if piece.valid_before != at]
    going_on = [said.within(piece.valid_after, None) for piece in past if piece.valid_before == at]
    return [*ended, *([piece for piece in going_on if piece] or [since])]


def _first(end: datetime | None, at: datetime) -> datetime:
    return min(end, at) if end else at
