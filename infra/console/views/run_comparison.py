"""Differences between two runs, and the form to select them."""

from collections.abc import Mapping

from infra.console.site import RequestState
from infra.console.team_access import TeamAccess
from infra.console.views import evidence_files, free_text
from infra.console.views.release_comparison import Change, changed_values, code_changes, data_changes, metric_changes
from infra.console.views.run_pages import run_layout
from infra.console.views.runs import PAGE_SIZE
from tasks.core.documents.config import FrozenModel
from tasks.core.layout import Layout
from tasks.policy.people import Person
from tasks.runs import journal
from tasks.runs.reporting import difference, paired_comparison, suite_comparison
from tasks.runs.reporting.difference import RunDifference


class RunComparison(FrozenModel):
    first: str
    second: str
    """Id of the second run. `first` and `second` are empty if no runs were chosen."""
    choices: list[str]
    """Ids of the runs that the form offers, newest first."""
    lacks: list[str]
    """Descriptions of the parts that could not be compared, with reasons."""
    test: list[str]
    """Result of the paired test of the two candidates, one sentence per item; empty if there is no test."""
    suites: list[str]
    """Result of each evaluation suite on the cases that both candidates were asked, one sentence per suite."""
    test_differs: bool
    """Whether the two runs were evaluated on different test records."""
    parts: dict[str, list[Change]]
    """Differences by part: `outcome`, `parameters`, `data`, `code` and `figures`."""


def run_comparison(here: RequestState, person: Person, first: str, second: str) -> RunComparison:
    """Return the differences between two runs.

    Raises:
        InputError: A run is not in this checkout.
        Refused: Files of a run cannot be read, or differ from the digests in the gate's evidence. It is also raised if
            a run has not reached the gate and the person may not see its free text.
    """
    for run in (first, second):
        _require_evidence_files(here, person, run_layout(here, run))
    with evidence_files.refuse_unreadable_files(f"{first} or {second}"):
        found, _ = difference.compare_runs(here.root, first, second)
    both = found.before.evaluated and found.now.evaluated
    return _form(here, person, first, second).model_copy(
        update={
            "lacks": found.lacks,
            "test": paired_comparison.comparison_sentences(found.paired) if found.paired else [],
            "suites": list(map(suite_comparison.comparison_sentence, found.suites)),
            "test_differs": both and not found.same_test,
            "parts": {name: lines for name, lines in _parts(found).items() if lines},
        }
    )


COMPARED_FILES: Mapping[str, tuple[str, ...]] = {
    "data": ("split/manifest.json",),
    "evaluation": (
        "evaluate/result.json", "evaluate/metrics.json", "evaluate/examples.parquet", "suites/suites.json",
        "suites/cases.parquet",
    ),
}  # fmt: skip
"""Files that the page quotes. The key is the gate whose evidence contains their digests."""


def _require_evidence_files(here: RequestState, person: Person, layout: Layout) -> None:
    for gate, names in COMPARED_FILES.items():
        paths = [path for path in map(layout.artefacts, names) if path.exists()]
        if paths and not evidence_files.compare_with_evidence(here, layout, gate, *paths):
            free_text.require_free_text_access(here, layout, person, "figures")


def run_comparison_form(here: RequestState, person: Person, first: str = "", second: str = "") -> RunComparison:
    """Return the differences between two runs, or only the form if fewer than two runs are selected."""
    return run_comparison(here, person, first, second) if first and second else _form(here, person, first, second)


def _form(here: RequestState, person: Person, first: str, second: str) -> RunComparison:
    access = TeamAccess(here, person)
    last = [known.run for known in journal.read_newest_journals(here.state, PAGE_SIZE) if access.sees_run(known)]
    chosen = [run for run in (first, second) if run and run not in last]
    return RunComparison(
        first=first,
        second=second,
        choices=last + chosen,
        lacks=[],
        test=[],
        suites=[],
        test_differs=False,
        parts={},
    )


def _parts(it: RunDifference) -> dict[str, list[Change]]:
    return {
        "outcome": changed_values(it.outcome),
        "parameters": changed_values(it.parameters),
        "data": (data_changes(it.data) if it.data else []) + changed_values(it.digests),
        "code": code_changes(it.code, "") + changed_values(it.made_with),
        "figures": metric_changes(it.figures),
    }
