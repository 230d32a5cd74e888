"""What changed from one release to another."""

from infra import compared
from infra.console.site import Here
from tasks.core.config import Frozen
from tasks.gates.checks.change import Moved
from tasks.gates.words import arrow
from tasks.policy.people import Person
from tasks.registry.history.difference import Difference
from tasks.registry.promote import releases as promoted


class Move(Frozen):
    what: str
    change: str


class Changes(Frozen):
    before: str
    now: str
    against: list[str]
    """Why one of them does not verify here, in words."""
    parts: dict[str, list[Move]]
    """By part: data, parameters, code, base model, figures, policy, people."""


def changes(here: Here, person: Person, before: str, now: str) -> Changes:
    """Raises InputError where one of them is not here."""
    for label in (before, now):  # a folder would do for the command, and is nothing that a page opens
        promoted.get(here.ledger, here.governance, label)
    found, _ = compared.releases_here(here.site.root, before, now, here.ledger, here.governance)
    return Changes(
        before=before,
        now=now,
        against=[f"{side.release}: {side.against}" for side in (found.before, found.now) if side.against],
        parts={name: moves for name, moves in _parts(found).items() if moves},
    )


def _parts(it: Difference) -> dict[str, list[Move]]:
    sources = [
        Move(what=f"source {name}", change=source.content)
        for name, source in it.data.sources.items()
        if source.content != "same"
    ]
    rows = [Move(what=f"{side} rows", change=arrow(pair)) for side, pair in it.data.rows.items() if not pair.same]
    code = [Move(what=line, change="") for line in it.code or []]
    code += [Move(what="which files differ", change=it.code_why)] * bool(it.code_why)
    figures = [
        Move(what=name, change=f"{figure.before or 'none'} → {figure.now or 'none'}, intervals: {figure.intervals}")
        for name, figure in it.figures.items()
        if figure.before != figure.now
    ]
    return {
        "data": sources + rows,
        "parameters": _moves(it.parameters),
        "code": code + _moves(it.made_with),
        "base model": _moves(it.base_model),
        "figures": figures,
        "policy": _moves(it.policy),
        "people": _moves(it.people),
    }


def _moves(moved: dict[str, Moved]) -> list[Move]:
    return [Move(what=name, change=arrow(pair)) for name, pair in moved.items() if not pair.same]
