"""Resumption of runs whose process died, for example because the machine's memory ran out.

Prefect's runner notices that the process of a flow run has died, and reports the flow run as crashed. The watch looks
for such flow runs.
"""

from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path

from prefect.client.orchestration import SyncPrefectClient, get_client
from prefect.client.schemas.objects import FlowRun, StateType

from flows.lifecycle import run_id_of_flow_run
from flows.partial_work import PartialWork
from flows.suspended_runs import flow_runs_in_state
from flows.watch import GONE_MESSAGE, is_unfinished, reschedule_flow_run
from tasks.ledger.ledger import Ledger
from tasks.runs import run_entries
from tasks.runs.checkout import Checkout

MIN_AGE = timedelta(seconds=10)
"""Time between the report of a crash and the resumption. A command that follows the run reports the crash before."""
MAX_RESUMPTIONS = 3
"""Maximum number of times that a run is resumed without a person. The limit stops runs that die every time."""


def resume_crashed(root: Path) -> list[str]:
    """Record each run of this checkout whose process has died, and resume it unless it has died too often.

    Returns:
        Ids of the resumed runs.

    Raises:
        PartialFailure: Some runs could not be resumed.
    """
    parts, ledger = PartialWork(), Checkout(root).ledger
    with get_client(sync_client=True) as client:
        for flow_run in flow_runs_in_state(root, client, StateType.CRASHED):
            what = f"run {run_id_of_flow_run(flow_run)}"
            parts.attempt(what, partial(_resume_if_unfinished, root, client, flow_run, ledger))
    return parts.finish()


def record_deaths(root: Path, runs: list[str]) -> None:
    """Record that the processes of runs died with their runner, and that the runs go on."""
    ledger = Checkout(root).ledger
    for run in runs:
        before = len(ledger.entries(run_entries.INTERRUPTED_KIND, run))
        run_entries.record_interruption(ledger, run, before + 1, goes_on=True)


def _resume_if_unfinished(root: Path, client: SyncPrefectClient, flow_run: FlowRun, ledger: Ledger) -> list[str]:
    run, state = run_id_of_flow_run(flow_run), flow_run.state
    if state is None or datetime.now(UTC) - state.timestamp < MIN_AGE or not is_unfinished(root, run, flow_run):
        return []
    states = client.read_flow_run_states(flow_run.id)
    goes_on = sum(each.message == GONE_MESSAGE for each in states) < MAX_RESUMPTIONS
    crashes = sum(each.type == StateType.CRASHED for each in states)
    run_entries.record_interruption(ledger, run, crashes, goes_on)
    return [run] if goes_on and reschedule_flow_run(root, client, flow_run) else []
