"""Command `hallmark data records`: the records in the dataset of a release."""

from typing import Annotated

import typer
from rich.table import Table

from infra.cli import shared
from infra.cli.shared import console
from tasks.inquiry.lineage import queries
from tasks.registry.promote import releases
from tasks.sources.dataset import PARTITIONS
from tasks.sources.resolved_sources import ResolvedSources


def records(
    release: Annotated[str, typer.Argument(metavar="RELEASE", help="NAME-VERSION, as `hallmark releases list` shows.")],
    as_json: shared.Json = False,
) -> None:
    """Show the number of records from each source in the dataset of a release.

    The licence and the lawful basis of each source are those declared at the time of the run. --json lists each record.

    Example: hallmark data records support-triage-1
    """
    here = shared.open_checkout()
    promoted = releases.get_release(here.ledger, here.governance, release)
    pinned = here.repository.run_git("show", "--end-of-options", f"{promoted.commit}:inputs/sources.json")
    named = {item.source.id: item.source for item in ResolvedSources.model_validate_json(pinned).sources}
    members = queries.memberships_of_dataset(here.state, releases.dataset_digest(promoted))
    if as_json:
        shared.print_json(
            [
                {"record": m.record, "side": m.side, "source": m.source_id, "row": m.row}
                | named[m.source_id].model_dump(include={"owner", "licence", "lawful_basis"})
                for m in members
            ]
        )
        return
    table = Table("source", "train", "test", "owner", "licence", "lawful basis", box=None, header_style="bold")
    for source in named.values():
        sides = [m.side for m in members if m.source_id == source.id]
        counts = (f"{sides.count(side):,}" for side in PARTITIONS)
        table.add_row(source.id, *counts, source.owner, source.licence, source.lawful_basis)
    console.print(table)
