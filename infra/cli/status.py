"""Command `hallmark status`."""

from typing import Annotated

import typer
from rich.table import Table

from infra.cli import run_argument, shared
from infra.cli.shared import console
from infra.cli.summary import print_json, print_summary
from infra.console import server as pages
from infra.prefect import server, watch_status
from tasks.core.errors import InputError
from tasks.runs import journal
from tasks.runs.summary import Summary, summarise


def status(
    run: Annotated[
        str | None, typer.Argument(metavar="RUN", help="Show this run in full.", parser=run_argument.resolve_id)
    ] = None,
    as_json: shared.Json = False,
) -> None:
    """Show the state of all runs, or one run in full: stages, gates, and what it waits for.

    Example: hallmark status
    """
    state = shared.checkout_root() / ".hallmark"
    if run:
        summary = summarise(state, run)
        if summary is None:
            raise InputError(f"there is no run {run!r} here; `hallmark status` lists the runs")
        print_json(summary) if as_json else _print_one(summary)
        return
    known = journal.read_all(state)
    if as_json:
        shared.print_json([line.model_dump(mode="json") for line in known])
        return
    up = server.find(shared.checkout_root())
    console.print(f"Prefect: {up.ui if up else 'not up (hallmark up)'}")
    console.print(f"watch: {watch_status.read(shared.checkout_root()).words}", markup=False, highlight=False)
    table = Table("run", "use case", "status", "asked by", "stages", "gates", "release", box=None, header_style="bold")
    for line in known:
        gates = ", ".join(f"{name} {gate.state}" for name, gate in line.gates.items())
        table.add_row(
            line.run, line.use_case, line.in_words, line.requested_by, str(len(line.stages)), gates, line.release
        )
    console.print(table if known else "no runs yet: hallmark run")


def _print_one(summary: Summary) -> None:
    table = Table("stage or gate", "state", "seconds", "", box=None, header_style="bold")
    for name, line in summary.stages.items():
        table.add_row(name, line.state, f"{line.seconds:.1f}", line.progress)
    for name, gate in summary.gates.items():
        table.add_row(f"{name} gate", gate.state, "", "; ".join(gate.waiting_for or gate.decided_by))
    console.print(f"run {summary.run}: {summary.in_words}, {summary.use_case}, asked for by {summary.requested_by}")
    if summary.reason:
        console.print(f"reason: {summary.reason}", markup=False)
    console.print(table)
    print_summary(summary, pages.address(shared.checkout_root()))
