"""Command `hallmark deploy`."""

import sys
from pathlib import Path
from typing import Annotated

import typer

from infra.cli import occasion_context, shared
from infra.cli.shared import console
from infra.prefect import client, pools, server
from tasks.runs.git.repository import Repository
from tasks.scheduling import control, deployments_check, deployments_in_force
from tasks.scheduling.deployments_file import DEFAULT_PATH, Deployments

File = Annotated[Path, typer.Argument(metavar="FILE", help="What to put in force.")]


def deploy(
    file: File = Path(DEFAULT_PATH),
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask at a terminal.")] = False,
    start: Annotated[bool, typer.Option(help="Start the Prefect server and the runner as `hallmark up` does.")] = True,
    who: shared.ActAs = None,
    as_json: shared.Json = False,
) -> None:
    """Check a deployments file, show its changes, and sign it. Then start the Prefect server and the runner.

    If the file is already adopted, nothing is signed.

    Example: hallmark deploy --as ml-engineer
    """
    at, person = occasion_context.open_context(), shared.acting_person(who)
    path = at.root / file
    wanted, text = deployments_check.check_deployments(path, Repository.open(at.root), at.ledger, at.governed)
    changes = control.describe_differences(at.adopted_deployments.deployments, wanted)
    if not as_json:
        _show(wanted, changes, at.adopted_deployments)
        if changes and not yes and sys.stdin.isatty() and not typer.confirm("put it in force?"):
            raise typer.Exit(1)
    entry = control.declare_deployments(at.ledger, at.governed, person, text)
    now = deployments_in_force.read_deployments(at.ledger, at.governed)
    if not as_json:
        outcome = (
            f"in force, signed by {person}: entry {entry.seq} of the ledger" if entry else "it is in force already"
        )
        console.print(outcome)
    if wanted.concurrency != at.adopted_deployments.deployments.concurrency and server.find(at.root):
        shared.print_notice("concurrency counts from the runner's next start: hallmark down, hallmark up", as_json)
    if start:
        up = occasion_context.start_prefect(at, as_json)
        with client.connected_client(at.root, up) as prefect:
            for line in pools.synchronise_pools(prefect, at.ledger, now.deployments.pools):
                shared.print_notice(line, as_json)
        shared.print_notice(f"up: {up.ui_url} (stop with `hallmark down`)", as_json)
    if as_json:
        shared.print_json(
            {"sha256": now.sha256, "changes": changes, "ledger_entry": entry.seq if entry else None, "started": start}
        )


def _show(wanted: Deployments, changes: list[str], before: deployments_in_force.DeploymentsInForce) -> None:
    console.print(f"{len(wanted.schedules)} schedules, {len(wanted.triggers)} triggers", highlight=False)
    for line in changes or ["nothing changes"]:
        console.print(f"  {line}", markup=False, highlight=False)
    for name, paused in before.pauses.items():
        if name in wanted.named:
            console.print(f"  {name} rests: {paused.person} paused it ({paused.reason})", markup=False, highlight=False)
