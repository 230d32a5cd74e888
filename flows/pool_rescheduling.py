"""Rescheduling of work-pool runs whose machine is gone, so that another machine continues them.

A machine that executes a run holds a lease in the ledger's database and renews it (tasks/runs/run_lease.py). If Prefect
reports that a flow run is running, but no machine holds the lease of its run, the flow run is scheduled again, and a
free machine of the pool takes over the run. The first machine may only have been unreachable. It then stops before its
next stage, because the ledger records which machine has taken over the run.
"""

from datetime import timedelta
from functools import partial
from pathlib import Path

from prefect.client.orchestration import SyncPrefectClient, get_client
from prefect.client.schemas.objects import FlowRun, StateType
from prefect.states import Scheduled

from flows import deployment_names
from flows.lifecycle import run_id_of_flow_run
from flows.partial_work import PartialWork
from flows.suspended_runs import flow_runs_in_state
from tasks.ledger.leases import Leases, open_leases
from tasks.ledger.ledger import Ledger
from tasks.runs.checkout import Checkout
from tasks.runs.run_lock import is_run_executing
from tasks.scheduling import deployments_in_force

START_GRACE_PERIOD = timedelta(seconds=60)
"""Time after the start of a flow run during which its run may be without a lease, because a process must first start
and import modules."""
MAX_RESCHEDULES = 3
"""Maximum number of times that a run is rescheduled after the loss of its machine. The limit stops runs that crash
every machine."""
GONE_MESSAGE = "its machine was gone"


def pool_deployments(root: Path) -> list[str]:
    here = Checkout(root)
    in_force = deployments_in_force.read_deployments(here.ledger, here.governance).deployments
    return [deployment_names.pool_deployment_name(here.ledger, name) for name in in_force.pools]


def reschedule_abandoned(root: Path) -> list[str]:
    """Reschedule flow runs that no machine executes, and return the ids of their runs.

    Raises:
        PartialFailure: Some flow runs could not be rescheduled.
    """
    ours, parts = pool_deployments(root), PartialWork()
    if not ours:
        return []
    here = Checkout(root)
    ledger, leases = here.ledger, open_leases(here.state)
    with get_client(sync_client=True) as client:
        states = (StateType.RUNNING, StateType.PENDING, StateType.CRASHED)
        for flow_run in flow_runs_in_state(root, client, *states, deployments=ours):
            parts.attempt(
                f"run {run_id_of_flow_run(flow_run)}",
                partial(_reschedule_if_abandoned, root, client, flow_run, ledger, leases),
            )
    return parts.finish()


def _reschedule_if_abandoned(
    root: Path, client: SyncPrefectClient, flow_run: FlowRun, ledger: Ledger, leases: Leases
) -> list[str]:
    run, state = run_id_of_flow_run(flow_run), flow_run.state
    lease, now = leases.read_lease(f"run/{run}")
    if state is None or is_run_executing(root / ".hallmark", run) or (lease and not lease.is_over(now)):
        return []
    held_since = lease is not None and lease.until > state.timestamp
    if not held_since and state.type != StateType.CRASHED and now - state.timestamp < START_GRACE_PERIOD:
        return []
    if ledger.entries("run.ended", run):
        return []
    if sum(each.message == GONE_MESSAGE for each in client.read_flow_run_states(flow_run.id)) >= MAX_RESCHEDULES:
        return []  # left to a person, who can use `hallmark run --resume`
    client.set_flow_run_state(flow_run.id, Scheduled(message=GONE_MESSAGE), force=True)
    return [run]
