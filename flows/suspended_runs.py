"""Resumption of suspended runs whose gate was decided.

The watch checks twice a second. Between two checks only new entries of the ledger are read, and Prefect is queried only
about runs that can continue, so a thousand suspended runs cost almost nothing. A decision can be recorded just before
its run is suspended, so it is remembered until the run continues. Once a minute all suspended runs are examined,
because some causes have no entry in the ledger: a deadline, a change of governance files that only this machine uses,
or a time in which Prefect was unavailable.
"""

import time
from collections.abc import Callable, Collection
from functools import partial
from pathlib import Path

from prefect.client.orchestration import SyncPrefectClient, get_client
from prefect.client.schemas.filters import (
    DeploymentFilter,
    DeploymentFilterName,
    FlowFilter,
    FlowFilterName,
    FlowRunFilter,
    FlowRunFilterName,
    FlowRunFilterState,
    FlowRunFilterStateType,
)
from prefect.client.schemas.objects import FlowRun, StateType
from prefect.client.schemas.sorting import FlowRunSort

from flows import deployment_names
from flows.lifecycle import run_id
from flows.partial_work import PartialWork
from tasks.consent import release_sources, withdrawals
from tasks.consent.withdrawals import Withdrawal
from tasks.core.errors import HallmarkError
from tasks.gates import cases, gates
from tasks.gates.cases import GateCase
from tasks.gates.evidence import EvidenceSummary
from tasks.gates.overview import OpenGate, open_gates
from tasks.ledger.ledger import Ledger
from tasks.policy.governance import Governance
from tasks.runs.checkout import Checkout
from tasks.runs.governance_cache import GovernanceCache
from tasks.runs.run import layout_of, open_run
from tasks.runs.takeover import is_elsewhere

PAGE_SIZE = 200
"""Number of flow runs in one request, which is the maximum that Prefect's server returns."""
FULL_CHECK_SECONDS = 60.0
"""Seconds between two full checks, in which every open gate is read."""
DECIDING_KINDS = ("gate", "governance", "source")
"""Prefixes of the kinds of ledger entries that can decide a gate."""


class _Elsewhere(HallmarkError):
    """Error for a run that belongs to another machine."""


class SuspendedRuns:
    """Suspended runs of a checkout, and of work pools if this machine is responsible for them."""

    def __init__(self, root: Path, pooled: Callable[[], list[str]] = list) -> None:
        """Initialise without reading the ledger.

        Args:
            root: Root folder of the checkout.
            pooled: Function that returns the work pool deployments for which this machine is responsible now.
        """
        self._root = root
        self._pooled = pooled
        self._ledger: Ledger | None = None
        self._last = 0
        self._next = 0.0
        self._open: set[str] = set()
        self._answered: set[str] = set()
        self._absent: set[str] = set()
        self._ended: set[str] = set()

    def resume_decided(self, _: Path | None = None) -> list[str]:
        """Resume every suspended run whose gate is decided, and return the ids of these runs.

        Raises:
            PartialFailure: Some runs could not be resumed; the next call tries again.
        """
        whole = time.monotonic() >= self._next
        wanted = set(self.decided_runs(whole)) - (set() if whole else self._ended)
        if whole:  # set before Prefect answers, which may be unavailable
            self._next = time.monotonic() + FULL_CHECK_SECONDS
        if not (wanted or whole):
            return []
        parts = PartialWork()
        with get_client(sync_client=True) as client:
            parked = StateType.PAUSED
            flow_runs = (
                flow_runs_in_state(self._root, client, parked)
                if whole
                else flow_runs_of(self._root, client, parked, wanted)
            )
            for flow_run in flow_runs:
                parts.attempt(f"run {run_id(flow_run)} cannot go on", partial(self._resume, client, flow_run, wanted))
            pooled = flow_runs_of(self._root, client, parked, wanted, self._pooled()) if wanted else []
            for flow_run in pooled:
                parts.attempt(f"run {run_id(flow_run)} cannot go on", partial(self._resume_flow_run, client, flow_run))
        if whole:
            self._note_ended(wanted - {run_id(flow_run) for flow_run in (*flow_runs, *pooled)})
        return parts.finish()

    def decided_runs(self, whole: bool) -> set[str]:
        """Return the runs whose gate is decided in the ledger and that have not been resumed since.

        The result can include runs that are not suspended yet. All open gates are read in a full check (`whole`), or if
        the ledger has new entries that can decide a gate.
        """
        ledger = self._open_ledger()
        last = ledger.last()
        news = ledger.changes_after(self._last) if last > self._last and not whole else set()
        if whole or last < self._last or any(kind.partition(".")[0] in DECIDING_KINDS for kind, _ in news):
            answered = self._read_open_gates(ledger)
            self._answered = answered if whole else answered | (self._answered - self._open)
        if not whole:
            self._ended -= {subject for _, subject in news}
            closed = {subject for kind, subject in news if kind == cases.CLOSED}
            self._answered -= closed  # their runs have continued, except at expired gates
            self._answered |= {run for run in closed if _is_expired(ledger, run)}
        self._last = last
        return self._answered

    def _open_ledger(self) -> Ledger:
        if self._ledger is None:
            self._ledger = Checkout(self._root).ledger
        return self._ledger

    def _read_open_gates(self, ledger: Ledger) -> set[str]:
        rules, judged, pooled = GovernanceCache(self._root, ledger), dict[str, Governance](), self._pooled()

        def governed(summary: EvidenceSummary) -> Governance:
            governance = rules.of_any_run(summary.run) if pooled else rules.of_local_run(summary.run)
            if governance is None:
                raise _Elsewhere
            judged[summary.run] = governance
            return governance

        glances = [each for each in open_gates(ledger, governed) if not isinstance(each.status, _Elsewhere)]
        self._open = {each.entry.subject for each in glances}
        withdrawn = {id(governance): withdrawals.in_force(ledger, governance) for governance in rules.loaded}
        return {
            run
            for each in glances
            if (run := each.entry.subject) in judged
            and (
                _is_answered(each, judged[run])
                or self._uses_withdrawn_source(run, withdrawn[id(judged[run])], judged[run])
            )
        }

    def _uses_withdrawn_source(self, run: str, taken: dict[str, list[Withdrawal]], governed: Governance) -> bool:
        try:
            used = release_sources.of_run(layout_of(self._root, run)) if taken else []
            return bool(withdrawals.affecting(taken, used, governed))
        except HallmarkError:
            return False

    def _note_ended(self, absent: set[str]) -> None:
        """Remember which decided runs were not suspended.

        A run that was not suspended in two consecutive full checks has ended. Until the ledger has a new entry about
        that run, only full checks query Prefect for it.
        """
        self._ended, self._absent = absent & self._absent, absent

    def _resume(self, client: SyncPrefectClient, flow_run: FlowRun, wanted: Collection[str]) -> list[str]:
        """Resume a run that can continue, or a run that another machine has taken over, so that it ends here."""
        run = run_id(flow_run)
        waits = run not in wanted and (run in self._open or not is_decided(self._root, run))
        if waits and not is_elsewhere(self._open_ledger(), self._root, run):
            return []
        return self._resume_flow_run(client, flow_run)

    def _resume_flow_run(self, client: SyncPrefectClient, flow_run: FlowRun) -> list[str]:
        run = run_id(flow_run)
        client.resume_flow_run(flow_run.id)
        self._answered.discard(run)
        return [run]


def _is_expired(ledger: Ledger, run: str) -> bool:
    return ledger.entries(cases.CLOSED, run)[-1].body.get("state") == "expired"


def _is_answered(glance: OpenGate, governed: Governance) -> bool:
    """Return whether a gate is decided, or can no longer be decided because of its deadline or a changed policy.

    If the gate cannot be judged for another reason, for example while governance files are being edited, the run stays
    suspended.
    """
    if glance.summary and glance.summary.policy_sha256 != governed.policy_sha256:
        return True
    return not isinstance(glance.status, HallmarkError) and glance.status.state != "waiting"


def is_decided(root: Path, run: str) -> bool:
    """Return whether the gate of a suspended run is decided or can no longer be decided.

    A gate can no longer be decided after its deadline, a change of policy or the withdrawal of a source. The run is
    then resumed, so that it reports this and ends.
    """
    ledger = Checkout(root).ledger
    try:
        asked = cases.read_all(ledger, run)[-1:]
        parked = open_run(root, run)
        governed = parked.governance()
        return bool(parked.withdrawal()) or any(_answered(case, ledger, governed) for case in asked)
    except HallmarkError:
        return False  # for example governance files that are being edited: the run stays suspended


def _answered(case: GateCase, ledger: Ledger, governed: Governance) -> bool:
    evidence = case.evidence
    if case.closed or evidence.policy_sha256 != governed.policy.digest():
        return True
    return gates.judge(evidence, ledger, governed, ledger.now()).state != "waiting"


def flow_runs_of(
    root: Path,
    client: SyncPrefectClient,
    state: StateType,
    runs: Collection[str],
    deployments: list[str] | None = None,
) -> list[FlowRun]:
    if deployments == []:
        return []
    names = sorted(runs)
    chunks = [names[start : start + PAGE_SIZE] for start in range(0, len(names), PAGE_SIZE)]
    pages = (
        flow_runs_in_state(root, client, state, name=FlowRunFilterName(any_=some), deployments=deployments)
        for some in chunks
    )
    return [flow_run for page in pages for flow_run in page]


def flow_runs_in_state(
    root: Path,
    client: SyncPrefectClient,
    *states: StateType,
    name: FlowRunFilterName | None = None,
    deployments: list[str] | None = None,
) -> list[FlowRun]:
    """Return all flow runs of the checkout, or of the given deployments, that are in one of the states.

    Flow runs whose parameters have no valid run id are left out, because anyone who can reach the server can create
    them.
    """
    flow_runs: list[FlowRun] = []
    ours = [deployment_names.runner_deployment(root)] if deployments is None else deployments
    state = FlowRunFilterState(type=FlowRunFilterStateType(any_=list(states)))
    while True:
        page = client.read_flow_runs(
            flow_filter=FlowFilter(name=FlowFilterName(any_=[deployment_names.FLOW_NAME])),
            deployment_filter=DeploymentFilter(name=DeploymentFilterName(any_=ours)),
            flow_run_filter=FlowRunFilter(state=state, name=name),
            sort=FlowRunSort.ID_DESC, limit=PAGE_SIZE, offset=len(flow_runs),
        )  # fmt: skip
        flow_runs += page
        if len(page) < PAGE_SIZE:
            return [flow_run for flow_run in flow_runs if _names_a_run(flow_run)]


def _names_a_run(flow_run: FlowRun) -> bool:
    try:
        return bool(run_id(flow_run))
    except HallmarkError:
        return False
