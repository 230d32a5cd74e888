"""What keeps going that nothing else would: orphans of a crash, what time brings; parked.py has the parked runs.

Beside that, it takes a signed head of the ledger to where its owner cannot rewrite it, whenever the ledger grew.

The runner calls all of it. Who decides has signed an entry of the ledger and need not reach Prefect; a process that was
killed tells nobody; and nobody is there when a deadline passes or a waiver expires.
"""

from pathlib import Path

from prefect.client.orchestration import SyncPrefectClient, get_client
from prefect.client.schemas.objects import FlowRun, StateType
from prefect.states import Scheduled

from flows.chronicle import run_id
from flows.parked import in_state
from tasks.errors import HallmarkError, Refused
from tasks.govern import incidents
from tasks.govern.gate import docket, reminders
from tasks.govern.ledger import publish
from tasks.govern.ledger.ledger import open_ledger
from tasks.registry import promotion, rolled_back, undelivered, waivers
from tasks.runs import journal
from tasks.runs.hold import only_one
from tasks.runs.rules import Rules
from tasks.runs.run import installed_governance

ORPHANED = (StateType.RUNNING, StateType.PENDING, StateType.CRASHED)
"""States in which a flow run may be that nobody executes."""


def time_passes(root: Path) -> list[str]:
    """Remind of gates, escalate and close them; raise incidents over waivers that expired, aliases that somebody moved,
    ledgers that were rolled back and what nobody confirmed; deliver what was kept of admissions.

    Returns in words what was recorded, and what could not be looked at.
    """
    ledger = open_ledger(root / ".hallmark")
    delivered = undelivered.deliver(ledger, root / ".hallmark")
    told = [f"admission: {delivered} records that were kept while the ledger was away"] if delivered else []
    rules = Rules(root, ledger)
    for case in docket.still_open(ledger):
        try:
            governed = rules.of(case.evidence.run)
            if governed is None:
                continue  # its own machine sees to it
            recorded = reminders.remind(ledger, governed, case)
        except HallmarkError:
            continue  # its run is resumed and says so
        told += [f"{entry.kind}: {case.evidence.gate} gate of run {case.evidence.run}" for entry in recorded]
    governed = rules.installed()
    raised = waivers.raise_incidents(ledger, governed) + rolled_back.raise_incidents(ledger, governed)
    raised += incidents.escalate_overdue(ledger, governed)
    return told + [f"{entry.kind}: {entry.subject}" for entry in raised] + promotion.set_aliases(governed, ledger)


def publish_heads(root: Path) -> list[str]:
    """Publish a head of the ledger where it grew. Returns what somebody should be told."""
    return publish.publish_grown(open_ledger(root / ".hallmark"), installed_governance(root, None))


def revive_orphans(root: Path) -> list[str]:
    """Schedule again every flow run that nothing executes and that has not ended. Returns the ids of their runs."""
    with get_client(sync_client=True) as client:
        found = in_state(client, *ORPHANED)
        return [run_id(flow_run) for flow_run in found if revive(root, client, flow_run)]


def revive(root: Path, client: SyncPrefectClient, flow_run: FlowRun) -> bool:
    """Schedule one flow run again; False where a process executes it, it has ended, or somebody else was faster."""
    run = run_id(flow_run)
    try:
        with only_one(root / ".hallmark", run):
            now = client.read_flow_run(flow_run.id).state
            if now is None or now.type not in ORPHANED:
                return False
            if now.type == StateType.CRASHED and not _unfinished(root, run, flow_run):
                return False
            client.set_flow_run_state(flow_run.id, Scheduled(message="its process was gone"), force=True)
            return True
    except Refused:
        return False  # a process holds it


def _unfinished(root: Path, run: str, flow_run: FlowRun) -> bool:
    """Whether a run was in the middle of this flow run, and no later one has taken it up."""
    known = journal.read(root / ".hallmark", run)
    return known is not None and known.status == "running" and known.flow_run == str(flow_run.id)
