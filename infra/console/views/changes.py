"""Differences between two releases."""

from infra import compared
from infra.console.site import Here
from tasks.core.config import Frozen
from tasks.gates.checks.change import Change, Moved
from tasks.gates.words import arrow
from tasks.policy.people import Person
from tasks.registry.history.difference import Difference, Figure
from tasks.registry.promote import releases as promoted


class Move(Frozen):
    what: str
    change: str


class Changes(Frozen):
    before: str
    now: str
    against: list[str]
    """Releases of the two that do not verify here, each with the reason."""
    parts: dict[str, list[Move]]
    """Differences by part: data, parameters, code, base model, figures, policy, people."""


def changes(here: Here, person: Person, before: str, now: str) -> Changes:
    """Return the differences between two releases.

    Raises:
        InputError: There is no release with one of these labels.
    """
    for label in (before, now):  # the command accepts folders too, which a page must not open
        promoted.get(here.ledger, here.governance, label)
    found, _ = compared.releases_here(here.site.root, before, now, here.ledger, here.governance)
    return Changes(
        before=before,
        now=now,
        against=[f"{side.release}: {side.against}" for side in (found.before, found.now) if side.against],
        parts={name: moves for name, moves in _parts(found).items() if moves},
    )


def _parts(it: Difference) -> dict[str, list[Move]]:
    return {
        "data": data(it.data),
        "parameters": moves(it.parameters),
        "code": code(it.code, it.code_why) + moves(it.made_with),
        "base model": moves(it.base_model),
        "figures": figures(it.figures),
        "policy": moves(it.policy),
        "people": moves(it.people),
    }


def data(change: Change) -> list[Move]:
    sources = [
        Move(what=f"source {name}", change=source.content)
        for name, source in change.sources.items()
        if source.content != "same"
    ]
    return sources + [Move(what=f"{side} rows", change=arrow(it)) for side, it in change.rows.items() if not it.same]


def code(names: list[str] | None, why: str) -> list[Move]:
    return [Move(what=line, change="") for line in names or []] + [Move(what="which files differ", change=why)] * bool(
        why
    )


def figures(found: dict[str, Figure]) -> list[Move]:
    return [
        Move(what=name, change=f"{figure.before or 'none'} → {figure.now or 'none'}, intervals: {figure.intervals}")
        for name, figure in found.items()
        if figure.before != figure.now
    ]


def moves(moved: dict[str, Moved]) -> list[Move]:
    return [Move(what=name, change=arrow(pair)) for name, pair in moved.items() if not pair.same]
