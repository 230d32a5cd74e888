"""`hallmark data withdraw`: an owner takes back a source, or gives it again."""

from typing import Annotated

import typer

from infra.cli import shared
from infra.cli.shared import console
from tasks.govern import withdrawals
from tasks.govern.ledger import open_ledger
from tasks.registry import releases
from tasks.runs.run import installed_governance


def withdraw(
    source: Annotated[str, typer.Argument(metavar="SOURCE", help="Id of a source that you own.")],
    reason: Annotated[str, typer.Option(help="Why; kept in the ledger for good.")],
    restore: Annotated[bool, typer.Option("--restore", help="Take your withdrawal back.")] = False,
    who: shared.As = None,
    governance: shared.Governance = None,
    as_json: shared.Json = False,
) -> None:
    """Withdraw a source that you own: new runs that name it are refused, runs that have it stop before their next
    stage or gate, and nothing trained on it is promoted. What was promoted before stays, and is named.

    Example: hallmark data withdraw tickets --reason "consent was for a year" --as data-owner
    """
    root = shared.root()
    ledger = open_ledger(root / ".hallmark")
    governed = installed_governance(root, str(governance) if governance else None)
    record = withdrawals.restore if restore else withdrawals.withdraw
    entry = record(ledger, governed, source, shared.identity(who), reason)
    held = releases.by_source(ledger, governed).get(source, [])
    if as_json:
        state = "given" if restore else "withdrawn"
        shared.print_json({"source": source, "state": state, "ledger_entry": entry.seq, "releases": held})
        return
    what = "is given again" if restore else f"was withdrawn on {entry.time:%Y-%m-%d %H:%M} UTC"
    console.print(f"source {source} {what}: entry {entry.seq} of the ledger")
    for label in [] if restore else held:
        console.print(f"  release {label} was trained on it and stays valid; only another release takes its place")
