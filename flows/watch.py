"""What keeps going that nothing else would: parked runs whose gate is decided, orphans of a crash, what time brings.

Beside that, it takes a signed head of the ledger to where its owner cannot rewrite it, whenever the ledger grew.

The runner calls all of it. Who decides has signed an entry of the ledger and need not reach Prefect; a process that was
killed tells nobody; and nobody is there when a deadline passes or a waiver expires.
"""

import time
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
from prefect.client.schemas.sorting import FlowRunSort
from prefect.states import Scheduled

from flows.chronicle import run_id
from tasks.errors import HallmarkError, Refused
from tasks.govern import incidents
from tasks.govern.gate import docket, gates, reminders
from tasks.govern.gate.docket import Case
from tasks.govern.gate.signed_decision import KIND
from tasks.govern.ledger import publish
from tasks.govern.ledger.ledger import Ledger, open_ledger
from tasks.govern.rules.adopting import ADOPTED
from tasks.govern.rules.governance import Governance
from tasks.govern.signed_withdrawal import WITHDRAWN
from tasks.registry import promotion, rolled_back, undelivered, waivers
from tasks.runs import journal
from tasks.runs.hold import only_one
from tasks.runs.run import governance_of, installed_governance, is_here, layout_of, open_run

PAGE = 200
"""Flow runs asked for at once; Prefect's server gives no more."""

ORPHANED = (StateType.RUNNING, StateType.PENDING, StateType.CRASHED)
"""States in which a flow run may be that nobody executes."""


AWAIT_SECONDS = 10.0
"""How long after a decision its runs are looked at again: it may land just before they park."""
LOOK_SECONDS = 60.0
"""How often every parked run is looked at, whatever the ledger says."""
OF_ALL = (WITHDRAWN, ADOPTED)
"""Entries of the ledger after which any run may have nothing to wait for."""


class Parked:
    """The parked runs of a checkout: those that a decision is about are looked at as soon as it is in the ledger.

    The ledger is asked for that, in a millisecond. To look at each of a thousand parked runs takes most of a minute.
    """

    def __init__(self) -> None:
        self._ledger: Ledger | None = None
        self._seen = 0
        self._about: dict[str, float] = {}
        """When a subject was last decided on, or a run's gate closed."""
        self._looked = float("-inf")

    def resume_decided(self, root: Path) -> list[str]:
        """`resume_decided`, of those runs where there may be something to resume."""
        now = time.monotonic()
        self._read(root, now)
        if now - self._looked >= LOOK_SECONDS:
            resumed = resume_decided(root)
            self._looked = now
            return resumed
        return resume_decided(root, set(self._about)) if self._about else []

    def _read(self, root: Path, now: float) -> None:
        """What is new in the ledger; what was there before is seen to by the first look, which is at every run."""
        if self._ledger is None:
            self._ledger = open_ledger(root / ".hallmark")
            self._seen = self._ledger.last()
        for entry in self._ledger.entries(after=self._seen):
            self._seen = entry.seq
            if entry.kind in (KIND, docket.CLOSED):
                self._about[entry.subject] = now
            elif entry.kind in OF_ALL:
                self._looked = float("-inf")
        self._about = {subject: at for subject, at in self._about.items() if now - at <= AWAIT_SECONDS}


def resume_decided(root: Path, about: set[str] | None = None) -> list[str]:
    """Resume every parked run whose gate no longer waits, or those alone of which the id or the gate's subject is in
    `about`. Returns their ids.
    """
    ledger, resumed = open_ledger(root / ".hallmark"), []
    with get_client(sync_client=True) as client:
        for flow_run in _in_state(client, StateType.PAUSED):
            run = run_id(flow_run)
            if about is not None and about.isdisjoint({run, docket.subject(ledger, run)}):
                continue
            if decided(root, run):
                client.resume_flow_run(flow_run.id)
                resumed.append(run)
    return resumed


def decided(root: Path, run: str) -> bool:
    """Whether the gate that a run is parked at is one that people have decided, or that nobody can decide any more.

    The latter is so where its time is over, policy changed or a source was withdrawn: the run is resumed then to say so
    and end, rather than wait for ever.
    """
    ledger = open_ledger(root / ".hallmark")
    try:
        asked = docket.cases(ledger, run)[-1:]
        parked = open_run(root, run)
        governed = parked.governance()
        return bool(parked.held_back()) or any(_answered(case, governed, ledger) for case in asked)
    except HallmarkError:
        return False  # governance files are being edited, say: the run stays parked


def _answered(case: Case, governed: Governance, ledger: Ledger) -> bool:
    evidence = case.evidence
    if case.closed or evidence.policy_sha256 != governed.policy.digest():
        return True
    return gates.judge(evidence, governed, ledger, ledger.now()).state != "waiting"


def time_passes(root: Path) -> list[str]:
    """Remind of gates, escalate and close them; raise incidents over waivers that expired, aliases that somebody moved,
    ledgers that were rolled back and what nobody confirmed; deliver what was kept of admissions.

    Returns in words what was recorded, and what could not be looked at.
    """
    ledger = open_ledger(root / ".hallmark")
    delivered = undelivered.deliver(ledger, root / ".hallmark")
    told = [f"admission: {delivered} records that were kept while the ledger was away"] if delivered else []
    for case in docket.still_open(ledger):
        layout = layout_of(root, case.evidence.run)
        if not is_here(layout):
            continue  # its own machine sees to it
        try:
            recorded = reminders.remind(ledger, governance_of(root, layout), case)
        except HallmarkError:
            continue  # its run is resumed and says so
        told += [f"{entry.kind}: {case.evidence.gate} gate of run {case.evidence.run}" for entry in recorded]
    governed = installed_governance(root, None)
    raised = waivers.raise_incidents(ledger, governed) + rolled_back.raise_incidents(ledger, governed)
    raised += incidents.escalate_overdue(ledger, governed)
    return told + [f"{entry.kind}: {entry.subject}" for entry in raised] + promotion.set_aliases(governed, ledger)


def publish_heads(root: Path) -> list[str]:
    """Publish a head of the ledger where it grew. Returns what somebody should be told."""
    return publish.publish_grown(open_ledger(root / ".hallmark"), installed_governance(root, None))


def revive_orphans(root: Path) -> list[str]:
    """Schedule again every flow run that nothing executes and that has not ended. Returns the ids of their runs."""
    with get_client(sync_client=True) as client:
        found = _in_state(client, *ORPHANED)
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


def _in_state(client: SyncPrefectClient, *states: StateType) -> list[FlowRun]:
    """Every flow run in one of the states, page by page."""
    found: list[FlowRun] = []
    while True:
        page = client.read_flow_runs(
            flow_filter=FlowFilter(name=FlowFilterName(any_=["retrain"])),
            flow_run_filter=FlowRunFilter(state=FlowRunFilterState(type=FlowRunFilterStateType(any_=list(states)))),
            sort=FlowRunSort.ID_DESC, limit=PAGE, offset=len(found),
        )  # fmt: skip
        found += page
        if len(page) < PAGE:
            return found
