"""Command `hallmark data quarantine`: the rows that a run quarantined, and why."""

from pathlib import Path
from typing import Annotated

import typer
from rich.table import Table

from infra.cli import run_argument, shared
from infra.cli.data.default_run import layout_of_run
from infra.cli.shared import console
from tasks.inquiry import quarantined_rows
from tasks.inquiry.quarantined_rows import QuarantinedRow, RuleCount

SHOWN_ID_DIGITS = 8
"""Number of digits shown of a record's id. They are enough to tell records apart, and `hallmark data show` accepts
them."""


def quarantine(
    run: Annotated[str | None, run_argument.OPTIONAL_RUN] = None,
    source: Annotated[
        list[str] | None, typer.Option("--source", metavar="ID", help="Rows of this source. May be repeated.")
    ] = None,
    rule: Annotated[
        list[str] | None,
        typer.Option("--rule", metavar="NAME", help="Rows that this rule quarantined. May be repeated."),
    ] = None,
    stage: Annotated[
        list[str] | None,
        typer.Option("--stage", metavar="NAME", help="Rows that this stage quarantined. May be repeated."),
    ] = None,
    limit: Annotated[int, typer.Option(min=1, help="How many rows to show.")] = 20,
    csv: Annotated[
        Path | None, typer.Option("--csv", metavar="FILE", dir_okay=False, help="Write all rows to a file.")
    ] = None,
    as_json: shared.Json = False,
) -> None:
    """Show the rows that a run quarantined.

    The output has the number of rows for each rule, then each row with its reason and the record that was kept instead.

    Example: hallmark data quarantine --source tickets --rule missing_target --csv tickets.csv
    """
    root = shared.checkout_root()
    layout = layout_of_run(root, run, "ingest")
    quarantined = quarantined_rows.read_quarantine(layout, source or (), rule or (), stage or ())
    shown = [] if csv and not as_json else quarantined.first_rows(limit)
    if csv:
        with shared.writable_path(csv, quarantined_rows.CSV_HEADER) as path:
            quarantined.write_csv(path)
    if as_json:
        rows, counts = ([entry.model_dump() for entry in part] for part in (shown, quarantined.count_by_rule()))
        totals = {"run": layout.root.name, "total": quarantined.total, "not_drawn": quarantined.not_drawn}
        shared.print_json(totals | {"counts": counts, "rows": rows})
    else:
        _show(quarantined.count_by_rule(), shown)
    shared.print_notice(_count_line(layout.root.name, quarantined.total, len(shown), csv), as_json)
    if quarantined.not_drawn and not (rule or stage):
        explanation = "were not drawn: data.train_rows and data.test_rows ask for fewer, and nothing is wrong with them"
        shared.print_notice(f"besides, {quarantined.not_drawn:,} records {explanation}", as_json)


def _count_line(run: str, total: int, shown: int, csv: Path | None) -> str:
    of_run = f"{total:,} rows that run {run} quarantined" if total else f"run {run} quarantined no such rows"
    if csv:
        return f"{csv}: {of_run}"
    more = f", and {total - shown:,} more; --csv FILE writes all" if shown < total else ""
    way = (
        f"\nhallmark data show SOURCE:ROW --run {run} --reason TEXT --as ID shows one as its source has it"
        if shown
        else ""
    )
    return f"{shown:,} of {of_run}{more}{way}" if total else of_run


def _show(counts: list[RuleCount], entries: list[QuarantinedRow]) -> None:
    if counts:
        table = Table("source", "rule", "stage", "rows", box=None, header_style="bold")
        for count in counts:
            table.add_row(count.source_id, count.rule, count.stage, f"{count.rows:,}")
        console.print(table)
    if entries:
        console.print(_table(entries), soft_wrap=False)


def _table(entries: list[QuarantinedRow]) -> Table:
    table = Table("source", "row", "stage", "rule", "reason", "record", "kept instead", box=None, header_style="bold")
    for column in table.columns:
        column.overflow = "fold"
    for entry in entries:
        record = (entry.record_id or "")[:SHOWN_ID_DIGITS]
        cells = (entry.source_id, str(entry.row), entry.stage, entry.rule, entry.reason)
        table.add_row(*cells, record, _kept_row(entry))
    return table


def _kept_row(entry: QuarantinedRow) -> str:
    if entry.winner is None:
        return ""
    return f"{entry.winner_source}, row {entry.winner_row} ({entry.winner[:SHOWN_ID_DIGITS]})"
