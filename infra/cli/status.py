"""Command `hallmark status`."""

from pathlib import Path
from typing import Any

from rich.table import Table

from infra.cli import shared, teams
from infra.cli.shared import console
from infra.prefect import queue, server, watch_status
from infra.prefect.queue import QueuedRun
from tasks.core.errors import Unavailable
from tasks.core.formatting import format_count
from tasks.runs import journal, run_list
from tasks.runs.journal import Journal
from tasks.runs.run_list import RunFilter, RunList

MAX_SHOWN_RUNS = 20
REQUESTED_STATUS = "requested"
"""Status of a run that waits in Prefect's queue. It has no journal, which would say that it runs."""


def status(team: teams.TeamOption = None, as_json: shared.Json = False) -> None:
    """Show whether Prefect and the watch are running, and the state of the last runs, newest last.

    Runs that were requested and wait in Prefect's queue come after these, if Prefect is up. They belong to no use case
    yet, so --team leaves them out.

    `hallmark runs list` lists all runs, and `hallmark runs show` shows one run in full.

    Example: hallmark status
    """
    root = shared.checkout_root()
    wanted = RunFilter(of_team=teams.use_cases_of_team(team))
    if as_json:
        known = [
            run.model_dump(mode="json") for run in journal.read_journals(root / ".hallmark") if wanted.matches(run)
        ]
        shared.print_json(known + [_document(each) for each in _queue(root, wanted, as_json)])
        return
    up = server.find(root)
    console.print(f"Prefect: {up.ui_url if up else 'not up (hallmark up)'}")
    if up:
        console.print(f"logs: {up.log_place}", markup=False, highlight=False)
    console.print(f"watch: {watch_status.read_watch_status(root).description}", markup=False, highlight=False)
    queued = _queue(root, wanted, as_json)
    _print_runs(run_list.list_runs(root / ".hallmark", wanted, limit=MAX_SHOWN_RUNS), queued)


def _queue(root: Path, wanted: RunFilter, as_json: bool) -> list[QueuedRun]:
    if wanted != run_list.EVERY_RUN:
        return []
    try:
        return queue.read_queue(root)
    except Unavailable as error:
        shared.print_notice(f"runs in the queue are not known: {error}", as_json)
        return []


def _document(queued: QueuedRun) -> dict[str, Any]:
    known = Journal(run=queued.run, requested_by=queued.requested_by, reason=queued.reason)
    return known.model_dump(mode="json") | {"status": REQUESTED_STATUS, "pool": queued.pool}


def _print_runs(listed: RunList, queued: list[QueuedRun]) -> None:
    table = Table("run", "use case", "status", "asked by", "stages", "gates", "release", box=None, header_style="bold")
    for run, _, _ in reversed(listed.runs):
        gates = ", ".join(f"{name} {gate.state}" for name, gate in run.gates.items())
        table.add_row(
            run.run, run.use_case, run.status_in_words, run.requested_by, str(len(run.stages)), gates, run.release
        )
    for each in queued:
        where = f"{REQUESTED_STATUS}, in the queue" + (f" of pool {each.pool}" if each.pool else "")
        table.add_row(each.run, "", where, each.requested_by, "0", "", None)
    console.print(table if listed.runs or queued else "no runs yet: hallmark run")
    if listed.more:
        console.print(f"{format_count(listed.more, 'earlier run')}: hallmark runs list", style="dim")
