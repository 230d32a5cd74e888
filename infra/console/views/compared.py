"""What differs between two runs, and a form that picks them."""

from collections.abc import Mapping

from infra.console.site import Here
from infra.console.views import hearing, looked_at
from infra.console.views.changes import Move, code, data, figures, moves
from infra.console.views.files import layout_here
from infra.console.views.runs import PAGE
from tasks.core.config import Frozen
from tasks.core.layout import Layout
from tasks.policy.people import Person
from tasks.runs import difference, journal, paired
from tasks.runs.difference import RunDifference


class Compared(Frozen):
    first: str
    second: str
    """Both empty where none were picked."""
    choices: list[str]
    """The last runs, newest first."""
    lacks: list[str]
    """What could not be compared, in words."""
    test: list[str]
    """The paired test, in sentences."""
    test_differs: bool
    """The two were tested with different rows."""
    parts: dict[str, list[Move]]
    """By part: outcome, parameters, data, code, figures."""


def compared(here: Here, person: Person, first: str, second: str) -> Compared:
    """Raises InputError where one of them is not here, Refused where its files are none of ours, are not what its gate
    looked at, or were looked at by none and may hold texts of records."""
    for run in (first, second):
        _require_looked_at(here, person, layout_here(here, run))
    with looked_at.written_by(f"{first} or {second}"):
        found, _ = difference.compare(here.site.root, first, second)
    both = found.before.evaluated and found.now.evaluated
    return _page(here, first, second).model_copy(
        update={
            "lacks": found.lacks,
            "test": paired.words(found.paired) if found.paired else [],
            "test_differs": both and not found.same_test,
            "parts": {name: lines for name, lines in _parts(found).items() if lines},
        }
    )


STATED: Mapping[str, tuple[str, ...]] = {
    "data": ("split/manifest.json",),
    "evaluation": ("evaluate/result.json", "evaluate/metrics.json", "evaluate/examples.parquet"),
}
"""The files whose figures and words the page shows, for each gate that looks at them."""


def _require_looked_at(here: Here, person: Person, layout: Layout) -> None:
    for gate, names in STATED.items():
        paths = [path for path in map(layout.stage, names) if path.exists()]
        if paths and not looked_at.require(here, layout, gate, *paths):
            hearing.require(here, layout, person, "figures")


def compare(here: Here, person: Person, first: str = "", second: str = "") -> Compared:
    """As the form asks: what differs between two runs, or the form alone where not both were picked."""
    return compared(here, person, first, second) if first and second else _page(here, first, second)


def _page(here: Here, first: str, second: str) -> Compared:
    last = [known.run for known in journal.newest(here.state, PAGE)]
    chosen = [run for run in (first, second) if run and run not in last]
    return Compared(first=first, second=second, choices=last + chosen, lacks=[], test=[], test_differs=False, parts={})


def _parts(it: RunDifference) -> dict[str, list[Move]]:
    return {
        "outcome": moves(it.outcome),
        "parameters": moves(it.parameters),
        "data": (data(it.data) if it.data else []) + moves(it.digests),
        "code": code(it.code, "") + moves(it.made_with),
        "figures": figures(it.figures),
    }
