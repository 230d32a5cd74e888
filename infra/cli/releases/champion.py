"""Command `hallmark releases champion`: the releases that were in production at a past time."""

from typing import Annotated

import typer
from rich.table import Table

from infra.cli import shared
from infra.cli.release_context import open_to_read
from infra.cli.shared import console
from tasks.core.formatting import format_exact_time
from tasks.registry.history import history
from tasks.registry.history.history import AliasHolder, ModelState, ProductionState

Time = Annotated[
    str,
    typer.Argument(
        metavar="TIME", help="Time such as 2026-03-03T12:00, in UTC unless it names a zone. A date means its end."
    ),
]


def champion(when: Time, as_json: shared.Json = False) -> None:
    """Show the champion and the rollback release at a past time, and the people who had decided on them.

    Example: hallmark releases champion 2026-03-03T12:00
    """
    ledger, governed = open_to_read()
    _show(history.production_state_at(when, ledger, governed), as_json)


def _show(moment: ProductionState, as_json: bool) -> None:
    if as_json:
        shared.print_json(moment.model_dump(mode="json"))
        return
    console.print(f"environment {moment.environment} at {format_exact_time(moment.at)}")
    if not moment.models:
        console.print("no release was ever promoted here")
        return
    console.print(_table(moment))
    console.print(history.CANARY_NOTE, style="dim")
    for standing in moment.models:
        _print_champion(standing)


def _table(moment: ProductionState) -> Table:
    table = Table("model", "place", "release", "since", "until", "entry", "digest", box=None, header_style="bold")
    for model in moment.models:
        for place, holder in (("champion", model.champion), ("rollback", model.rollback)):
            table.add_row(model.name, place, *_cells(holder))
        table.add_row(model.name, "canary", "none")
    return table


def _cells(holder: AliasHolder | None) -> list[str]:
    if holder is None:
        return ["none"]
    until = format_exact_time(holder.until) if holder.until else "still"
    return [holder.release, format_exact_time(holder.since), until, str(holder.entry), holder.sha256[:12]]


def _print_champion(standing: ModelState) -> None:
    if standing.champion is None:
        first = format_exact_time(standing.first)
        console.print(f"\n{standing.name}: nothing was in production yet; the first promotion was {first}")
        return
    holder = standing.champion
    demo = ", demo identities decided" if holder.demo else ""
    console.print(
        f"\n{holder.release}: risk tier {holder.tier}{demo}, made by run {holder.run} at {holder.commit[:12]}"
    )
    if holder.ordered_by:
        console.print(
            f"  brought back by {' and '.join(holder.ordered_by)}: {holder.reason} (ledger entry {holder.entry})"
        )
    console.print(f"  run asked for by {holder.requested_by}")
    for approval in holder.approvals:
        where = f"ledger entry {approval.entry}" if approval.entry else "no such entry in the ledger any more"
        console.print(f"  {approval.gate} gate: approved by {approval.who} ({where})")
    for waiver in holder.waivers:
        console.print(f"  {waiver.describe()}")
