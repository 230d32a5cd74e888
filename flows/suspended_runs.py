"""Resumption of suspended runs whose gate was decided.

The watch checks twice a second. A check reads only new entries of the ledger, and queries Prefect only about runs that
can continue, so a thousand suspended runs cost almost nothing. A decision can be recorded just before its run is
suspended, so it is remembered until the run continues.

Once a minute, all suspended runs are examined, because some causes have no entry in the ledger: a deadline, a change of
governance files that only this machine uses, or a time in which Prefect was unavailable.
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
from flows.lifecycle import run_id_of_flow_run
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
from tasks.runs.run import open_run, run_layout
from tasks.runs.takeover import is_on_other_machine

PAGE_SIZE = 200
"""Number of flow runs to request at once, which is the most that Prefect's server returns."""
FULL_CHECK_SECONDS = 60.0
"""Seconds between two full checks, in which every open gate is read."""
DECIDING_KIND_PREFIXES = ("gate", "governance", "source")
"""Prefixes of the kinds of ledger entries that can decide a gate."""


class _RunOnOtherMachine(HallmarkError):
    """Error for a run that belongs to another machine."""


class SuspendedRuns:
    """Suspended runs of a checkout, and of work pools if this machine is responsible for them."""

    def __init__(self, root: Path, pool_deployments: Callable[[], list[str]] = list) -> None:
        """Initialise without reading the ledger.

        Args:
            root: Root folder of the checkout.
            pool_deployments: Function that returns the names of the work pool deployments for which this machine is
                responsible now.
        """
        self._root = root
        self._pool_deployments = pool_deployments
        self._ledger: Ledger | None = None
        self._last_entry = 0
        self._next_full_check = 0.0
        self._runs_at_open_gates: set[str] = set()
        self._decided_runs: set[str] = set()
        self._absent_runs: set[str] = set()
        self._ended_runs: set[str] = set()

    def resume_decided(self, _: Path | None = None) -> list[str]:
        """Resume every suspended run whose gate is decided, and return the ids of these runs.

        Raises:
            PartialFailure: Some runs could not be resumed; the next call tries again.
        """
        whole = time.monotonic() >= self._next_full_check
        wanted = set(self.find_decided_runs(whole)) - (set() if whole else self._ended_runs)
        if whole:  # set before Prefect answers, which may be unavailable
            self._next_full_check = time.monotonic() + FULL_CHECK_SECONDS
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
                parts.attempt(
                    f"run {run_id_of_flow_run(flow_run)} cannot go on",
                    partial(self._resume_if_possible, client, flow_run, wanted),
                )
            pooled = flow_runs_of(self._root, client, parked, wanted, self._pool_deployments()) if wanted else []
            for flow_run in pooled:
                parts.attempt(
                    f"run {run_id_of_flow_run(flow_run)} cannot go on", partial(self._resume_flow_run, client, flow_run)
                )
        if whole:
            self._note_ended_runs(wanted - {run_id_of_flow_run(flow_run) for flow_run in (*flow_runs, *pooled)})
        return parts.finish()

    def find_decided_runs(self, full_check: bool) -> set[str]:
        """Return the runs whose gate is decided in the ledger and that have not been resumed since.

        The result can include runs that are not suspended yet. `full_check` requests a full check, which reads all open
        gates. Otherwise they are read only if the ledger has new entries that can decide a gate.
        """
        ledger = self._open_ledger()
        last = ledger.last_seq()
        news = ledger.changed_subjects_after(self._last_entry) if last > self._last_entry and not full_check else set()
        if (
            full_check
            or last < self._last_entry
            or any(kind.partition(".")[0] in DECIDING_KIND_PREFIXES for kind, _ in news)
        ):
            answered = self._read_open_gates(ledger)
            self._decided_runs = answered if full_check else answered | (self._decided_runs - self._runs_at_open_gates)
        if not full_check:
            self._ended_runs -= {subject for _, subject in news}
            closed = {subject for kind, subject in news if kind == cases.CLOSED}
            self._decided_runs -= closed  # their runs have continued, except at gates that nobody decided
            self._decided_runs |= {run for run in closed if _is_closed_for_good(ledger, run)}
        self._last_entry = last
        return self._decided_runs

    def _open_ledger(self) -> Ledger:
        if self._ledger is None:
            self._ledger = Checkout(self._root).ledger
        return self._ledger

    def _read_open_gates(self, ledger: Ledger) -> set[str]:
        rules, judged, pooled = GovernanceCache(self._root, ledger), dict[str, Governance](), self._pool_deployments()

        def governed(summary: EvidenceSummary) -> Governance:
            governance = (
                rules.governance_of_any_run(summary.run) if pooled else rules.governance_of_local_run(summary.run)
            )
            if governance is None:
                raise _RunOnOtherMachine
            judged[summary.run] = governance
            return governance

        glances = [each for each in open_gates(ledger, governed) if not isinstance(each.status, _RunOnOtherMachine)]
        self._runs_at_open_gates = {each.entry.subject for each in glances}
        withdrawn = {
            id(governance): withdrawals.withdrawals_in_force(ledger, governance)
            for governance in rules.loaded_governances
        }
        return {
            run
            for each in glances
            if (run := each.entry.subject) in judged
            and (
                _is_gate_decided(each, judged[run])
                or self._uses_withdrawn_source(run, withdrawn[id(judged[run])], judged[run])
            )
        }

    def _uses_withdrawn_source(self, run: str, withdrawn: dict[str, list[Withdrawal]], governed: Governance) -> bool:
        try:
            used = release_sources.sources_of_run(run_layout(self._root, run)) if withdrawn else []
            return bool(withdrawals.affecting_withdrawals(withdrawn, used, governed))
        except HallmarkError:
            return False

    def _note_ended_runs(self, not_suspended: set[str]) -> None:
        """Remember which decided runs were not suspended.

        A decided run that was not suspended in two consecutive full checks has ended. From then on, only full checks
        query Prefect for the run, until the ledger has a new entry about it.
        """
        self._ended_runs, self._absent_runs = not_suspended & self._absent_runs, not_suspended

    def _resume_if_possible(self, client: SyncPrefectClient, flow_run: FlowRun, decided: Collection[str]) -> list[str]:
        """Resume a flow run if its gate was decided, or if another machine has taken over the run that it executes.

        In the second case, the resumed flow run ends at once.
        """
        run = run_id_of_flow_run(flow_run)
        waits = run not in decided and (run in self._runs_at_open_gates or not is_gate_decided(self._root, run))
        if waits and not is_on_other_machine(self._open_ledger(), self._root, run):
            return []
        return self._resume_flow_run(client, flow_run)

    def _resume_flow_run(self, client: SyncPrefectClient, flow_run: FlowRun) -> list[str]:
        run = run_id_of_flow_run(flow_run)
        client.resume_flow_run(flow_run.id)
        self._decided_runs.discard(run)
        return [run]


def _is_closed_for_good(ledger: Ledger, run: str) -> bool:
    """Return whether a gate was closed without the run, at its deadline or for a newer run."""
    return ledger.entries(cases.CLOSED, run)[-1].body.get("state") in ("expired", cases.REPLACED_STATE)


def _is_gate_decided(open_gate: OpenGate, governed: Governance) -> bool:
    """Return whether a gate is decided, or can no longer be decided because of its deadline or a changed policy.

    If the gate cannot be judged for another reason, for example while governance files are being edited, the run stays
    suspended.
    """
    if open_gate.summary and open_gate.summary.policy_sha256 != governed.policy_sha256:
        return True
    return not isinstance(open_gate.status, HallmarkError) and open_gate.status.state != "waiting"


def is_gate_decided(root: Path, run: str) -> bool:
    """Return whether the gate of a suspended run is decided or can no longer be decided.

    A gate can no longer be decided after its deadline, a change of policy or the withdrawal of a source. The run is
    then resumed, so that it reports this and ends.
    """
    ledger = Checkout(root).ledger
    try:
        asked = cases.read_cases(ledger, run)[-1:]
        parked = open_run(root, run)
        governed = parked.governance()
        return bool(parked.withdrawal_reason()) or any(_is_case_decided(case, ledger, governed) for case in asked)
    except HallmarkError:
        return False  # for example governance files that are being edited: the run stays suspended


def _is_case_decided(case: GateCase, ledger: Ledger, governed: Governance) -> bool:
    evidence = case.evidence
    if case.closing_entry or evidence.policy_sha256 != governed.policy.digest():
        return True
    return gates.judge_gate(evidence, ledger, governed, ledger.now()).state != "waiting"


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

    Flow runs without a valid run id in their parameters are omitted, because anyone who can reach the server can create
    them.
    """
    flow_runs: list[FlowRun] = []
    ours = [deployment_names.runner_deployment_name(root)] if deployments is None else deployments
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
            return [flow_run for flow_run in flow_runs if _has_valid_run_id(flow_run)]


def _has_valid_run_id(flow_run: FlowRun) -> bool:
    try:
        return bool(run_id_of_flow_run(flow_run))
    except HallmarkError:
        return False
