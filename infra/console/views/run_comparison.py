"""Differences between two runs, and the form that picks them."""

from collections.abc import Mapping

from infra.console.site import RequestState
from infra.console.views import evidence_files, free_text
from infra.console.views.release_comparison import Change, changed_values, code, data, figures
from infra.console.views.run_pages import run_layout
from infra.console.views.runs import PAGE_SIZE
from tasks.core.documents.config import FrozenModel
from tasks.core.layout import Layout
from tasks.policy.people import Person
from tasks.runs import journal
from tasks.runs.reporting import difference, paired_comparison
from tasks.runs.reporting.difference import RunDifference


class RunComparison(FrozenModel):
    first: str
    second: str
    """Id of the second run. `first` and `second` are empty if no runs were chosen."""
    choices: list[str]
    """Ids of the runs that the form offers, newest first."""
    lacks: list[str]
    """Parts that could not be compared, with reasons, in words."""
    test: list[str]
    """Result of the paired test of the two candidates, in sentences; empty if there is no test."""
    test_differs: bool
    """Whether the two runs were evaluated on different test records."""
    parts: dict[str, list[Change]]
    """Differences by part: `outcome`, `parameters`, `data`, `code` and `figures`."""


def run_comparison(here: RequestState, person: Person, first: str, second: str) -> RunComparison:
    """Return the differences between two runs.

    Raises:
        InputError: A run is not in this checkout.
        Refused: Files of a run cannot be read or differ from those in its gate's evidence; or the run has not reached
            the gate, and the person may not see its free text.
    """
    for run in (first, second):
        _require_evidence_files(here, person, run_layout(here, run))
    with evidence_files.refuse_unreadable(f"{first} or {second}"):
        found, _ = difference.compare(here.root, first, second)
    both = found.before.evaluated and found.now.evaluated
    return _page(here, first, second).model_copy(
        update={
            "lacks": found.lacks,
            "test": paired_comparison.sentences(found.paired) if found.paired else [],
            "test_differs": both and not found.same_test,
            "parts": {name: lines for name, lines in _parts(found).items() if lines},
        }
    )


COMPARED_FILES: Mapping[str, tuple[str, ...]] = {
    "data": ("split/manifest.json",),
    "evaluation": ("evaluate/result.json", "evaluate/metrics.json", "evaluate/examples.parquet"),
}
"""Files that the page quotes, by the gate whose evidence contains their digests."""


def _require_evidence_files(here: RequestState, person: Person, layout: Layout) -> None:
    for gate, names in COMPARED_FILES.items():
        paths = [path for path in map(layout.artefacts, names) if path.exists()]
        if paths and not evidence_files.compare(here, layout, gate, *paths):
            free_text.require_access(here, layout, person, "figures")


def run_comparison_form(here: RequestState, person: Person, first: str = "", second: str = "") -> RunComparison:
    """Return the differences between two runs, or only the form if fewer than two runs are chosen."""
    return run_comparison(here, person, first, second) if first and second else _page(here, first, second)


def _page(here: RequestState, first: str, second: str) -> RunComparison:
    last = [known.run for known in journal.read_newest(here.state, PAGE_SIZE)]
    chosen = [run for run in (first, second) if run and run not in last]
    return RunComparison(
        first=first, second=second, choices=last + chosen, lacks=[], test=[], test_differs=False, parts={}
    )


def _parts(it: RunDifference) -> dict[str, list[Change]]:
    return {
        "outcome": changed_values(it.outcome),
        "parameters": changed_values(it.parameters),
        "data": (data(it.data) if it.data else []) + changed_values(it.digests),
        "code": code(it.code, "") + changed_values(it.made_with),
        "figures": figures(it.figures),
    }
