"""`hallmark data show`: one record as its source had it."""

from typing import Annotated

import typer

from infra.cli import shared
from infra.cli.shared import console
from tasks.data import access, disclose
from tasks.data.conflicts.words import visible
from tasks.govern.ledger import open_ledger
from tasks.runs.run import installed_governance, layout_of


def show(
    record: Annotated[str, typer.Argument(metavar="RECORD", help="Id of a record, or its beginning.")],
    run: Annotated[str, typer.Option(metavar="RUN", help="The run whose finding it is.")],
    reason: Annotated[str, typer.Option(help="Why; kept in the ledger for good.")],
    who: shared.As = None,
    as_json: shared.Json = False,
) -> None:
    """One record as its source had it, through the vault. Who looked and why is on the ledger.

    Example: hallmark data show 4f1c09ab --run 20260303-120000-a1b2 --reason "conflict with 77aa" --as data-owner
    """
    root = shared.root()
    layout = layout_of(root, run)
    looker = access.in_force(installed_governance(root, None), shared.identity(who))
    found = disclose.show(layout, record, looker, reason, open_ledger(root / ".hallmark"))
    if as_json:
        shared.print_json(found.model_dump(mode="json"))
        return
    console.print(f"record {found.record_id}: source {found.source_id}, row {found.row}")
    for turn in found.messages:
        console.print(f"  {turn['role']}: {visible(turn['content'])}")
    if found.labelled_by:
        console.print(f"  labelled by {visible(found.labelled_by)}")
    for finding in found.findings:
        console.print(f"  put aside by {finding}")
