"""Command `hallmark data labels`: labels that are not trained or nearly equal another one, with their rows."""

from typing import Annotated

import typer
from rich.table import Table

from infra.cli import run_argument, shared
from infra.cli.data.default_run import layout_of_run
from infra.cli.shared import console
from tasks.core.escaping import escape_to_one_line
from tasks.inquiry import access, label_findings
from tasks.inquiry.label_findings import LabelFinding, LabelFindings, LabelledRow
from tasks.runs.run import governance_of_run

REMEDIES = {
    "not_trained": "give more rows of the label, or leave such rows out: `data.untrained_labels: quarantine` in "
    "params.yaml",
    "near_equal": "if two labels are one, correct the rows in their source",
}
"""Remedy for each kind of finding."""


def labels(
    run: Annotated[str | None, run_argument.OPTIONAL_RUN] = None,
    limit: Annotated[int, typer.Option(min=1, help="How many rows of each label to show.")] = 5,
    who: shared.ActAs = None,
    as_json: shared.Json = False,
) -> None:
    """Show labels that no training record has, and labels that nearly equal a more frequent one, with their rows.

    A row is shown only if you may see single records of its source.

    Example: hallmark data labels --as data-owner
    """
    root = shared.checkout_root()
    layout = layout_of_run(root, run, "split")
    looker = access.access_of_signer(governance_of_run(root, layout), shared.acting_person(who))
    found = label_findings.find_label_findings(layout, looker, limit)
    if as_json:
        shared.print_json(found.model_dump(mode="json"))
    elif found.findings:
        _show(found.findings)
    shared.print_notice(_count_line(found), as_json)


def _show(findings: list[LabelFinding]) -> None:
    table = Table("label", "finding", "rows", "where", box=None, header_style="bold")
    for column in table.columns:
        column.overflow = "fold"
    for each in findings:
        more = f" and {each.total - len(each.rows):,} more" if each.total > len(each.rows) else ""
        table.add_row(
            _quoted(each.label), _finding_text(each), f"{each.total:,}", "; ".join(map(_place, each.rows)) + more
        )
    console.print(table, soft_wrap=False)
    console.print("What to do:")
    for kind in sorted({each.finding for each in findings} & REMEDIES.keys()):
        console.print(f"  {REMEDIES[kind]}")


def _finding_text(found: LabelFinding) -> str:
    if found.finding == "near_equal":
        return f"nearly equals {_quoted(found.near)}" if found.near is not None else "nearly equals another label"
    return "no training record has it"


def _place(row: LabelledRow) -> str:
    return f"{row.source_id}:{row.row} ({escape_to_one_line(row.partition)})"


def _quoted(label: str) -> str:
    """Return a label between quotation marks, so that spaces at its ends are seen."""
    return f"'{escape_to_one_line(label)}'"


def _count_line(found: LabelFindings) -> str:
    number = len({each.label for each in found.findings})
    what = f"{number:,} label{'s' * (number != 1)} of run {found.run} to look at"
    way = f"\nhallmark data show SOURCE:ROW --run {found.run} --reason TEXT --as ID shows one row" if number else ""
    withheld = f"; {found.withheld:,} more rows are of sources that you may not look at" if found.withheld else ""
    return f"{what}{withheld}{way}"
