"""Command `hallmark data find`: every dataset, run and release that contains a record or a person."""

from typing import Annotated

import typer
from rich.table import Table

from infra import record_lookup
from infra.cli import shared
from infra.cli.shared import console
from tasks.core.errors import InputError
from tasks.inquiry import access


def find(
    record: Annotated[str | None, typer.Option(metavar="ID", help="A record's id, or its first eight digits.")] = None,
    subject: Annotated[
        str | None, typer.Option(metavar="VALUE", help="A name, e-mail address or number of a person.")
    ] = None,
    reason: Annotated[str, typer.Option(help="Why you look a person up. The ledger keeps it.")] = "",
    who: shared.ActAs = None,
    as_json: shared.Json = False,
) -> None:
    """Find all source rows, datasets, runs and releases that contain a record or a person.

    Quarantined rows are included. To look up a person, give --as and --reason; the command needs the vault key. The
    look-up is recorded in the ledger before its result is shown, with keyed tokens instead of the value. The result
    covers the sources whose records you may see: as their owner, as their steward, or by a role in `access`.

    Example: hallmark data find --subject "ada@example.org" --reason "she asked what we hold" --as data-owner
    """
    if (record is None) == (subject is None):
        raise InputError("say either --record ID or --subject VALUE")
    here = shared.open_checkout()
    ledger, governed = here.ledger, here.governance
    if subject is None:
        found = record_lookup.find_record(here.state, record or "", ledger, governed)
    else:
        looker = access.access_of_signer(governed, shared.acting_person(who))
        found = record_lookup.find_person(here.state, subject, reason, looker, ledger, governed)
    if found.closed:
        shared.print_notice(
            f"not looked in, since {who} may not look at their records: {'; '.join(found.closed)}", as_json
        )
    if found.notice:
        shared.print_notice(found.notice, as_json)
    if as_json:
        shared.print_json([row.model_dump(mode="json") for row in found.rows])
        return
    table = Table("record", "source", "row", "dataset", "partition", "runs", "releases", box=None, header_style="bold")
    for row in found.rows:
        named = map(", ".join, (row.runs, row.releases))
        table.add_row(row.record, row.source_id, str(row.row), row.dataset[:12], row.side, *named)
    console.print(table if found.rows else "in no dataset, and in nothing that a run keeps beside one")
