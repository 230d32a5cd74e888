"""Times from which the roles and keys of an adoption are valid: the adoption's own time, whatever people.yaml says.

A person who becomes an approver today must not count as an approver for yesterday. Added roles and keys are therefore
valid only from the adoption on, and an extended period applies only to the time after it. The roles and keys of a demo
identity that becomes a person start anew. Removals, ends and revocations also apply to the past, because a theft may be
discovered late. Only the first adoption can define roles and keys for the time before it.
"""

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import TypeVar

from tasks.core.errors import Refused
from tasks.policy.people import MACHINES, Machine, People, Person
from tasks.trust.validity import Key, Period

Held = TypeVar("Held", bound=Period)


def effective_people(adopted: People, before: People, at: datetime) -> People:
    """Return people with the periods in which their roles and keys are valid after an adoption.

    Args:
        adopted: People as written in the adoption.
        before: People with the periods that were valid before the adoption.
        at: Time of the adoption.

    Raises:
        Refused: A person or machine would have no role or key that could ever be valid.
    """
    machines = {
        name: Machine(keys=_effective_keys(name, adopted.keys_of_machine(name), before.keys_of_machine(name), at))
        for name in MACHINES
        if name in adopted.machines
    }
    return People(
        people=[_effective_person(person, before.get(person.id), at) for person in adopted.people], machines=machines
    )


def _effective_person(adopted: Person, before: Person | None, at: datetime) -> Person:
    if before and before.demo and not adopted.demo:
        before = None
    roles = [
        piece
        for held in adopted.roles
        for piece in _effective_parts(
            held, [each for each in before.roles if each.role == held.role] if before else [], at
        )
    ]
    if not roles:
        raise Refused(
            f"every role that {adopted.id} is given had ended before; leave them out, or give one that counts"
        )
    return adopted.model_copy(
        update={"roles": roles, "keys": _effective_keys(adopted.id, adopted.keys, before.keys if before else [], at)}
    )


def _effective_keys(whose: str, adopted: Sequence[Key], before: Iterable[Key], at: datetime) -> list[Key]:
    known = {key.fingerprint: key for key in before}
    pieces = [
        piece
        for key in adopted
        for piece in _effective_parts(key, [known[key.fingerprint]] if key.fingerprint in known else [], at)
    ]
    if adopted and not pieces:
        raise Refused(f"every key that {whose} is given had ended before; give one that counts")
    return pieces


def _effective_parts(adopted: Held, before: Sequence[Held], at: datetime) -> list[Held]:
    """Return the parts of the period `adopted` that take effect if it is adopted at the time `at`.

    From `at` on, the whole period does. The time before `at` counts only if a period in `before` covers it already.
    Parts that meet at `at` are merged.
    """
    past = [piece for each in before if (piece := adopted.clip(each.valid_after, _earlier_end(each.valid_before, at)))]
    if not (since := adopted.clip(at, None)):
        return past
    ended = [piece for piece in past if piece.valid_before != at]
    going_on = [adopted.clip(piece.valid_after, None) for piece in past if piece.valid_before == at]
    return [*ended, *([piece for piece in going_on if piece] or [since])]


def _earlier_end(end: datetime | None, at: datetime) -> datetime:
    return min(end, at) if end else at
