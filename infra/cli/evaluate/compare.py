"""Command `hallmark evaluate compare`: paired comparison of the candidates of two releases or runs."""

from pathlib import Path
from typing import Annotated

import typer

from infra.cli import difference_tables, run_argument, runs_difference, shared
from infra.cli.release_context import open_to_read
from infra.cli.shared import console
from tasks.core.errors import InputError
from tasks.registry.promote import releases
from tasks.runs import journal
from tasks.runs.reporting import difference
from tasks.runs.reporting.difference import RunDifference
from tasks.runs.run import is_on_this_machine, run_layout

Compared = Annotated[
    str, typer.Argument(metavar="RELEASE|RUN", help="Release as NAME-VERSION, or id of a run, possibly abbreviated.")
]


def compare(before: Compared, now: Compared, as_json: shared.Json = False) -> None:
    """Show which of two candidates is better, on the test rows and cases of suites that both have answered.

    The runs of both releases have to be on this machine. No digest or signature is verified; `hallmark releases diff`
    verifies releases. Data, parameters and code are compared by `hallmark runs diff`.

    Example: hallmark evaluate compare support-triage-1 support-triage-2
    """
    root = shared.checkout_root()
    changes, _dataset = difference.compare_runs(root, *(_run_of(root, name) for name in (before, now)))
    if as_json:
        shown = ("before", "now", "lacks", "figures", "same_test", "paired", "suites")
        shared.print_json(changes.model_dump(mode="json", include=set(shown)))
    else:
        _show(changes)


def _run_of(root: Path, name: str) -> str:
    """Return the run with this id or abbreviation, or else the run that made the release with this label."""
    run = run_argument.expand_run_id(name)
    if journal.journal_path(root / ".hallmark", run).exists():
        return run
    ledger, governance = open_to_read()
    labels = releases.all_labels(ledger, governance)
    if name not in labels:
        raise InputError(f"no release or run is called {name!r}; releases: {', '.join(labels) or 'none yet'}")
    release = releases.get_release(ledger, governance, name)
    if not is_on_this_machine(run_layout(root, release.run)):
        raise InputError(
            f"run {release.run}, which made {name}, is not on this machine; compare the releases' own figures with "
            "`hallmark releases diff`"
        )
    return release.run


def _show(changes: RunDifference) -> None:
    first, second = (f"run {side.run} ({side.status})" for side in (changes.before, changes.now))
    console.print(f"{first}, then {second}")
    for why in changes.lacks:
        console.print(f"not compared: {why}")
    difference_tables.print_metrics(changes.figures, changes.same_test)
    runs_difference.print_paired_tests(changes)
