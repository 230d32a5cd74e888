"""Command `hallmark data distribution`: how far a run's dataset lies from the one approved last."""

from typing import Annotated

from rich.table import Table

from infra.cli import run_argument, shared
from infra.cli.data.default_run import layout_of_run
from infra.cli.shared import console
from tasks.core.escaping import escape_to_one_line
from tasks.core.facts import Fact
from tasks.gates import run_profile
from tasks.gates.dataset_profile.shift import Shift
from tasks.gates.run_profile import RunProfile
from tasks.runs.run import open_run

MAX_VALUES = 4
COVERAGE_PREFIX = "coverage."


def distribution(
    run: Annotated[str | None, run_argument.OPTIONAL_RUN] = None,
    as_json: shared.Json = False,
) -> None:
    """Show how far languages, departments, geographies, labels and lengths lie from the dataset approved last.

    A distance of 0.1 means that a tenth of the rows would need another value for both datasets to be alike. Its
    interval leaves out what chance alone explains. A label stands by its digest, because it is a value of records.

    Example: hallmark data distribution 20260303-120000-a1b2
    """
    here = shared.open_checkout()
    named = run or layout_of_run(here.root, None, "split").root.name
    opened = open_run(here.root, named)
    found = run_profile.read_run_profile(
        here.ledger, opened.layout, opened.params, opened.request.demo_approvals, named
    )
    if as_json:
        shared.print_json(found.model_dump(mode="json"))
        return
    if found.shifts:
        _show_shifts(found.shifts)
    console.print(_headline(found))
    if found.coverage_gaps is not None:
        console.print(_coverage_line(found.coverage_gaps))


def _show_shifts(shifts: list[Shift]) -> None:
    table = Table("field", "distance", "chi-square p", "moved furthest", box=None, header_style="bold")
    for column in table.columns:
        column.overflow = "fold"
    for shift in shifts:
        p = "" if shift.p_value is None else f"{shift.p_value:.2g}"
        table.add_row(shift.field, str(shift.interval), p, escape_to_one_line(shift.moved_text(MAX_VALUES)))
    console.print(table, soft_wrap=False)


def _headline(found: RunProfile) -> str:
    rows = f"run {found.run}: {found.rows:,} rows"
    if found.compared_with:
        return f"{rows}, compared with the dataset approved in run {found.compared_with}"
    return f"{rows}; no dataset with counts was approved before, so there is nothing to compare with"


def _coverage_line(gaps: Fact) -> str:
    if not gaps.value:
        return "coverage: every segment has the records that data.coverage requires"
    return f"coverage: {gaps.value:,.0f} gaps: {escape_to_one_line(gaps.note)}"
