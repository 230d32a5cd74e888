"""Command `hallmark runs show`."""

from typing import Annotated

from rich.table import Table

from infra.cli import run_argument, shared
from infra.cli.shared import console
from infra.cli.summary import print_summary, print_summary_json
from infra.console import server as pages
from tasks.core.errors import InputError
from tasks.runs.reporting.summary import Summary, summarise_run
from tasks.runs.request import NO_RUN_MESSAGE


def show(run: Annotated[str, run_argument.REQUIRED_RUN], as_json: shared.Json = False) -> None:
    """Show one run in full: its stages, its gates, and the people it waits for.

    Example: hallmark runs show 20260303-0300
    """
    summary = summarise_run(shared.checkout_root() / ".hallmark", run)
    if summary is None:
        raise InputError(NO_RUN_MESSAGE.format(run))
    print_summary_json(summary) if as_json else _print_run(summary)


def _print_run(summary: Summary) -> None:
    table = Table("stage or gate", "state", "seconds", "", box=None, header_style="bold")
    for name, line in summary.stages.items():
        table.add_row(name, line.state, f"{line.seconds:.1f}", line.progress)
    for name, gate in summary.gates.items():
        table.add_row(f"{name} gate", gate.state, "", "; ".join(gate.waiting_for or gate.decided_by))
    console.print(
        f"run {summary.run}: {summary.status_in_words}, {summary.use_case}, asked for by {summary.requested_by}"
    )
    if summary.reason:
        console.print(f"reason: {summary.reason}", markup=False)
    console.print(table)
    print_summary(summary, pages.running_url(shared.checkout_root()))
