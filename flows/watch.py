"""What keeps runs going that nothing else would: parked ones whose gate has closed, and orphans of a crash.

The runner calls both. A decision that lands just before its run parks would be missed by whoever decided; a process
that was killed tells nobody.
"""

from pathlib import Path

from prefect.client.orchestration import SyncPrefectClient, get_client
from prefect.client.schemas.filters import (
    FlowFilter,
    FlowFilterName,
    FlowRunFilter,
    FlowRunFilterState,
    FlowRunFilterStateType,
)
from prefect.client.schemas.objects import FlowRun, StateType
from prefect.states import Scheduled

from tasks.errors import HallmarkError
from tasks.govern import gates
from tasks.govern.ledger import open_ledger
from tasks.runs.run import only_one, open_run


def resume_decided(root: Path) -> list[str]:
    """Resume every parked run whose gate no longer waits. Returns their ids."""
    resumed = []
    with get_client(sync_client=True) as client:
        for flow_run in _in_state(client, StateType.PAUSED):
            run_id = flow_run.parameters["request"]["run_id"]
            if decided(root, run_id):
                client.resume_flow_run(flow_run.id)
                resumed.append(run_id)
    return resumed


def decided(root: Path, run_id: str) -> bool:
    """Whether a run's open gate is one that people have decided."""
    ledger = open_ledger(root / ".hallmark")
    asked = [evidence for evidence in gates.waiting(ledger) if evidence.run == run_id]
    try:
        governed = open_run(root, run_id).governance()
        return any(gates.judge(e, governed, ledger, ledger.now()).state != "waiting" for e in asked)
    except HallmarkError:
        return False  # governance files are being edited, say: the run stays parked


def revive_orphans(root: Path) -> list[str]:
    """Schedule again every flow run that Prefect believes to be running and no process executes."""
    revived = []
    with get_client(sync_client=True) as client:
        for flow_run in _in_state(client, StateType.RUNNING, StateType.PENDING):
            run_id = flow_run.parameters["request"]["run_id"]
            try:
                with only_one(root / ".hallmark", run_id):
                    client.set_flow_run_state(flow_run.id, Scheduled(message="its process was gone"), force=True)
                    revived.append(run_id)
            except HallmarkError:
                continue  # a process holds it
    return revived


def _in_state(client: SyncPrefectClient, *states: StateType) -> list[FlowRun]:
    return client.read_flow_runs(
        flow_filter=FlowFilter(name=FlowFilterName(any_=["retrain"])),
        flow_run_filter=FlowRunFilter(state=FlowRunFilterState(type=FlowRunFilterStateType(any_=list(states)))),
    )
