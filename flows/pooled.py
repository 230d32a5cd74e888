"""Runs of work pools whose machine is gone go on on another.

A machine that executes a run holds its lease in the ledger's database and renews it (tasks/runs/across.py). A flow run
that Prefect believes to be executed, and whose run nobody holds, is scheduled again; then whichever machine of the pool
is free takes it up. Where the first is not gone but out of reach, it stops at its next stage, since the ledger says
then who has taken the run up.
"""

from datetime import timedelta
from functools import partial
from pathlib import Path

from prefect.client.orchestration import SyncPrefectClient, get_client
from prefect.client.schemas.objects import FlowRun, StateType
from prefect.states import Scheduled

from flows import deployed
from flows.lifecycle import run_id
from flows.parked import in_state
from flows.partly import Parts
from tasks.ledger.leases import Leases, open_leases
from tasks.ledger.ledger import Ledger, open_ledger
from tasks.occasions import standing
from tasks.runs.hold import held
from tasks.runs.run import installed_governance

BEGINNING = timedelta(seconds=60)
"""How long a flow run has from when a worker takes it to when it holds its run: a new process, and what it imports."""
TRIES = 3
"""How often a run whose machine was gone is scheduled again: one that takes each machine with it ends."""
GONE = "its machine was gone"


def deployments(root: Path) -> list[str]:
    """Names of the deployments that the pools in force serve."""
    ledger = open_ledger(root / ".hallmark")
    in_force = standing.read(ledger, installed_governance(root, None)).deployments
    return [deployed.in_pool(ledger, name) for name in in_force.pools]


def revive(root: Path) -> list[str]:
    """Schedule again what nobody executes. Returns the runs; raises Partly where one could not be."""
    ours, parts = deployments(root), Parts()
    if not ours:
        return []
    ledger, leases = open_ledger(root / ".hallmark"), open_leases(root / ".hallmark")
    with get_client(sync_client=True) as client:
        states = (StateType.RUNNING, StateType.PENDING, StateType.CRASHED)
        for flow_run in in_state(root, client, *states, deployments=ours):
            parts.attempt(f"run {run_id(flow_run)}", partial(_revive, root, client, flow_run, ledger, leases))
    return parts.done()


def _revive(root: Path, client: SyncPrefectClient, flow_run: FlowRun, ledger: Ledger, leases: Leases) -> list[str]:
    run, state = run_id(flow_run), flow_run.state
    lease, now = leases.read(f"run/{run}")
    if state is None or held(root / ".hallmark", run) or (lease and not lease.is_over(now)):
        return []
    held_since = lease is not None and lease.until > state.timestamp
    if not held_since and state.type != StateType.CRASHED and now - state.timestamp < BEGINNING:
        return []
    if ledger.entries("run.ended", run):
        return []
    if sum(each.message == GONE for each in client.read_flow_run_states(flow_run.id)) >= TRIES:
        return []  # it stays as it is; a person looks into it, and `hallmark run --resume` takes it up
    client.set_flow_run_state(flow_run.id, Scheduled(message=GONE), force=True)
    return [run]
