"""Command `hallmark data expectations`: failed expectations of the suites, with the rows that violate them."""

from typing import Annotated

import typer
from rich.table import Table

from infra.cli import run_argument, shared
from infra.cli.data.default_run import layout_of_run
from infra.cli.shared import console
from tasks.core.escaping import escape_to_one_line
from tasks.inquiry import access, failed_expectations
from tasks.inquiry.failed_expectations import FailedExpectation
from tasks.runs.run import governance_of_run

MAX_VALUE_CHARS = 80


def expectations(
    run: Annotated[str | None, run_argument.OPTIONAL_RUN] = None,
    limit: Annotated[int, typer.Option(min=1, help="How many rows of each expectation to show.")] = 5,
    who: shared.ActAs = None,
    as_json: shared.Json = False,
) -> None:
    """Show the expectations that failed, with the rows and values that violate them.

    A row is shown only if you may see single records of its source.

    Example: hallmark data expectations --as data-owner
    """
    root = shared.checkout_root()
    layout = layout_of_run(root, run, "validate")
    looker = access.access_of_signer(governance_of_run(root, layout), shared.acting_person(who))
    failed = failed_expectations.find_failed_expectations(layout, looker, limit)
    name = layout.root.name
    if as_json:
        shared.print_json({"run": name, "failed": [each.model_dump(mode="json") for each in failed]})
    else:
        for each in failed:
            _show(each, name)
    plural = "s" * (len(failed) != 1)
    shared.print_notice(f"{len(failed):,} expectation{plural} of run {name} failed", as_json)
    if any(each.rows for each in failed):
        way = f"hallmark data show SOURCE:ROW --run {name} --reason TEXT --as ID shows one as its source has it"
        shared.print_notice(way, as_json)


def _show(failed: FailedExpectation, run: str) -> None:
    result, about = failed.result, f"source {failed.source}" if failed.source else "the dataset"
    of = f" of {result.column}" if result.column else ""
    console.print(escape_to_one_line(f"{failed.suite} ({about}): {result.type}{of}: {result.why}"), style="bold")
    if failed.rows:
        table = Table("where", *failed.rows[0].values, box=None, header_style="bold")
        for row in failed.rows:
            table.add_row(f"{row.source_id}:{row.row}", *map(_cell, row.values.values()))
        console.print(table, soft_wrap=False)
    for line in _remarks(failed, run):
        console.print(f"  {line}")


def _cell(value: str | None) -> str:
    if value is None:
        return "(null)"
    text = escape_to_one_line(value)
    return f"'{text}'" if len(text) <= MAX_VALUE_CHARS else f"'{text[:MAX_VALUE_CHARS]}' …"


def _remarks(failed: FailedExpectation, run: str) -> list[str]:
    """Return what is said besides the rows: how many more there are, or why no row is named."""
    remarks = []
    if failed.total > len(failed.rows):
        remarks.append(f"{failed.total - len(failed.rows):,} more rows; --limit {failed.total} shows all")
    if failed.withheld:
        remarks.append(f"{failed.withheld:,} row{'s' * (failed.withheld != 1)} of sources that you may not look at")
    if failed.is_about_source_rows:
        source = f" --source {failed.source}" if failed.source else ""
        remarks.append(f"about rows that became no record: hallmark data quarantine {run}{source}")
    elif not failed.total + failed.withheld:
        observed = "" if failed.result.observed is None else f"; observed: {failed.result.observed:g}"
        remarks.append(f"about all records together, so no single row is against it{observed}")
    return remarks
