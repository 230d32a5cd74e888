"""Command `hallmark status`."""

from rich.table import Table

from infra.cli import shared
from infra.cli.shared import console
from infra.prefect import server, watch_status
from tasks.core.formatting import format_count
from tasks.runs import journal, run_list
from tasks.runs.run_list import RunList

MAX_SHOWN_RUNS = 20


def status(as_json: shared.Json = False) -> None:
    """Show whether Prefect and the watch are running, and the state of the last runs, newest last.

    `hallmark runs list` lists all runs, and `hallmark runs show` shows one run in full.

    Example: hallmark status
    """
    root = shared.checkout_root()
    if as_json:
        shared.print_json([run.model_dump(mode="json") for run in journal.read_journals(root / ".hallmark")])
        return
    up = server.find(root)
    console.print(f"Prefect: {up.ui_url if up else 'not up (hallmark up)'}")
    if up:
        console.print(f"logs: {up.log_place}", markup=False, highlight=False)
    console.print(f"watch: {watch_status.read_watch_status(root).description}", markup=False, highlight=False)
    _print_runs(run_list.list_runs(root / ".hallmark", limit=MAX_SHOWN_RUNS))


def _print_runs(listed: RunList) -> None:
    table = Table("run", "use case", "status", "asked by", "stages", "gates", "release", box=None, header_style="bold")
    for run, _, _ in reversed(listed.runs):
        gates = ", ".join(f"{name} {gate.state}" for name, gate in run.gates.items())
        table.add_row(
            run.run, run.use_case, run.status_in_words, run.requested_by, str(len(run.stages)), gates, run.release
        )
    console.print(table if listed.runs else "no runs yet: hallmark run")
    if listed.more:
        console.print(f"{format_count(listed.more, 'earlier run')}: hallmark runs list", style="dim")
