"""Command `hallmark data show`: one record or row as it is in its source."""

from collections.abc import Sequence
from typing import Annotated

import typer

from infra.cli import run_argument, shared
from infra.cli.shared import console
from tasks.core.escaping import escape_hidden
from tasks.inquiry import access, disclosure
from tasks.inquiry.disclosure import DisclosedRow
from tasks.runs.run import governance_of_run, require_not_cleaned, run_layout

MAX_NAMES = 20
"""Maximum number of parents, and of descendants, that are shown."""


def show(
    record: Annotated[str, typer.Argument(metavar="RECORD", help="Id of a record, its beginning, or SOURCE:ROW.")],
    run: Annotated[
        str, typer.Option(metavar="RUN", help="Run that the record or row is of.", parser=run_argument.expand_run_id)
    ],
    reason: shared.Reason,
    who: shared.ActAs = None,
    as_json: shared.Json = False,
) -> None:
    """Show one record as it is in its source, with protected values from the vault.

    The ledger records the data access, with person and reason, before the record is shown. A row that never became a
    record, such as tickets:57, is read from its source again.

    Example: hallmark data show 4f1c09ab --run 20260303-120000-a1b2 --reason "conflict with 77aa" --as data-owner
    """
    here = shared.open_checkout()
    layout = run_layout(here.root, run)
    require_not_cleaned(layout)
    looker = access.access_of_signer(governance_of_run(here.root, layout), shared.acting_person(who))
    disclosed = disclosure.disclose_row(layout, record, looker, reason, here.ledger)
    if as_json:
        shared.print_json(disclosed.model_dump(mode="json"))
        return
    _print(disclosed)


def _print(shown: DisclosedRow) -> None:
    what = f"record {shown.record_id}" if shown.record_id else "no record was made of this row"
    console.print(f"{what}: source {shown.source_id}, row {shown.row}")
    for turn in shown.messages:
        console.print(f"  {turn['role']}: {_indent(turn['content'])}")
    if shown.labelled_by:
        console.print(f"  labelled by {_indent(shown.labelled_by)}")
    if shown.synthetic:
        made = shown.synthetic
        console.print(f"  synthetic, made by {_indent(made.generator)} from {_some(made.parents) or 'no record'}")
        console.print(f"  prompt of the generator: {_indent(made.prompt)}")
    if shown.descendants:
        console.print(f"  synthetic records made from it: {_some(shown.descendants)}")
    for name, value in shown.columns.items():
        text = "(null)" if value is None else "(empty)" if value == "" else _indent(value)
        console.print(f"  {_indent(name)}: {text}")
    if not (shown.messages or shown.columns):
        console.print("  it has no columns that can be read, so there are no values to show")
    for finding in shown.findings:
        console.print(f"  quarantined by {finding}")


def _some(names: Sequence[str]) -> str:
    more = len(names) - MAX_NAMES
    return ", ".join(names[:MAX_NAMES]) + (f" and {more:,} more, which --json lists" if more > 0 else "")


def _indent(text: str) -> str:
    """Escape control characters and indent each line after the first.

    Otherwise a line of a record could imitate a line of the command's output.
    """
    return escape_hidden(text).replace("\n", "\n      ")
