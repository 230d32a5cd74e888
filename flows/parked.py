"""Parked runs whose gate has closed go on.

The watch asks twice a second. Between two looks only what is new in the ledger is read, and Prefect is asked only
about runs that may go on; so a thousand parked runs cost next to nothing. A decision may land just before its run
parks, so it is remembered until that goes on. Once a minute all of them are looked at, for what no entry tells: a
deadline, governance files of somebody's own, a flow run that Prefect was away for.
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

from flows import deployed
from flows.lifecycle import run_id
from flows.partly import Parts
from tasks.consent import consent, withdrawals
from tasks.consent.withdrawals import Withdrawal
from tasks.core.errors import HallmarkError
from tasks.gates import cases, gates
from tasks.gates.cases import Case
from tasks.gates.evidence import Summary
from tasks.gates.overview import Glance, overview
from tasks.ledger.ledger import Ledger, open_ledger
from tasks.policy.governance import Governance
from tasks.runs.rules import Rules
from tasks.runs.run import layout_of, open_run
from tasks.runs.taking_up import is_elsewhere

PAGE = 200
"""Flow runs asked for at once; Prefect's server gives no more."""
WHOLE_SECONDS = 60.0
"""How often every parked run is looked at."""
TURNING = ("gate", "governance", "source")
"""What an entry must be about, by its kind up to the dot, for a gate to be answered by it."""


class _Elsewhere(HallmarkError):
    """A run that is on another machine, which sees to it."""


class Parked:
    """The parked runs of a checkout, from look to look, and those of work pools where it looks after them."""

    def __init__(self, root: Path, pooled: Callable[[], list[str]] = list) -> None:
        """`pooled` gives the deployments that pools serve, as long as no other machine looks after them."""
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
        """Resume every parked run whose gate no longer waits. Returns their ids; raises Partly, which has them too,
        where one could not be resumed, which the next look tries again."""
        whole = time.monotonic() >= self._next
        wanted = set(self.answered(whole)) - (set() if whole else self._ended)
        if whole:  # counted from the look, not from when Prefect answers, which may be away
            self._next = time.monotonic() + WHOLE_SECONDS
        if not (wanted or whole):
            return []
        parts = Parts()
        with get_client(sync_client=True) as client:
            parked = StateType.PAUSED
            flow_runs = in_state(self._root, client, parked) if whole else named(self._root, client, parked, wanted)
            for flow_run in flow_runs:
                parts.attempt(f"run {run_id(flow_run)} cannot go on", partial(self._resume, client, flow_run, wanted))
            pooled = named(self._root, client, parked, wanted, self._pooled()) if wanted else []
            for flow_run in pooled:
                parts.attempt(f"run {run_id(flow_run)} cannot go on", partial(self._wake, client, flow_run))
        if whole:
            self._note_ended(wanted - {run_id(flow_run) for flow_run in (*flow_runs, *pooled)})
        return parts.done()

    def answered(self, whole: bool) -> set[str]:
        """Runs whose gate is answered by the ledger and that have not been resumed since; the run of one may not have
        parked yet. Reads every gate that stands open where `whole` or the ledger says something new about gates."""
        ledger = self._reach()
        last = ledger.last()
        news = ledger.news(self._last) if last > self._last and not whole else set()
        if whole or last < self._last or any(kind.partition(".")[0] in TURNING for kind, _ in news):
            answered = self._look(ledger)
            self._answered = answered if whole else answered | (self._answered - self._open)
        if not whole:
            self._ended -= {subject for _, subject in news}
            closed = {subject for kind, subject in news if kind == cases.CLOSED}
            self._answered -= closed  # they have gone on, but for those whose time was over
            self._answered |= {run for run in closed if _is_expired(ledger, run)}
        self._last = last
        return self._answered

    def _reach(self) -> Ledger:
        if self._ledger is None:
            self._ledger = open_ledger(self._root / ".hallmark")
        return self._ledger

    def _look(self, ledger: Ledger) -> set[str]:
        """Runs whose gate stands open in the ledger and is answered all the same."""
        rules, judged, pooled = Rules(self._root, ledger), dict[str, Governance](), self._pooled()

        def governed(summary: Summary) -> Governance:
            governance = rules.anywhere(summary.run) if pooled else rules.of(summary.run)
            if governance is None:
                raise _Elsewhere
            judged[summary.run] = governance
            return governance

        glances = [each for each in overview(ledger, governed) if not isinstance(each.stands, _Elsewhere)]
        self._open = {each.entry.subject for each in glances}
        taken = {id(governance): withdrawals.in_force(ledger, governance) for governance in rules.read}
        return {
            run
            for each in glances
            if (run := each.entry.subject) in judged
            and (_is_answered(each, judged[run]) or self._is_held_back(run, taken[id(judged[run])], judged[run]))
        }

    def _is_held_back(self, run: str, taken: dict[str, list[Withdrawal]], governed: Governance) -> bool:
        """Whether a source of a run is among those that were withdrawn."""
        try:
            used = consent.resolved(layout_of(self._root, run)) if taken else []
            return bool(withdrawals.reached(taken, used, governed))
        except HallmarkError:
            return False

    def _note_ended(self, absent: set[str]) -> None:
        """Of runs that are answered, these are not parked: those that were not at the whole look before either have
        ended, and until the ledger says something new of them only whole looks ask for them."""
        self._ended, self._absent = absent & self._absent, absent

    def _resume(self, client: SyncPrefectClient, flow_run: FlowRun, wanted: Collection[str]) -> list[str]:
        """The run, where it goes on; one that another machine has taken up wakes to say so and end."""
        run = run_id(flow_run)
        waits = run not in wanted and (run in self._open or not decided(self._root, run))
        if waits and not is_elsewhere(self._reach(), self._root, run):
            return []
        return self._wake(client, flow_run)

    def _wake(self, client: SyncPrefectClient, flow_run: FlowRun) -> list[str]:
        run = run_id(flow_run)
        client.resume_flow_run(flow_run.id)
        self._answered.discard(run)
        return [run]


def _is_expired(ledger: Ledger, run: str) -> bool:
    return ledger.entries(cases.CLOSED, run)[-1].body.get("state") == "expired"


def _is_answered(glance: Glance, governed: Governance) -> bool:
    """Whether people have decided, or nobody can decide any more since time is over or policy changed. Where it cannot
    be judged otherwise, governance files are being edited, say, and the run stays parked."""
    if glance.summary and glance.summary.policy_sha256 != governed.policy_sha256:
        return True
    return not isinstance(glance.stands, HallmarkError) and glance.stands.state != "waiting"


def decided(root: Path, run: str) -> bool:
    """Whether the gate that a run is parked at is one that people have decided, or that nobody can decide any more.

    The latter is so where its time is over, policy changed or a source was withdrawn: the run is resumed then to say so
    and end, rather than wait for ever.
    """
    ledger = open_ledger(root / ".hallmark")
    try:
        asked = cases.read(ledger, run)[-1:]
        parked = open_run(root, run)
        governed = parked.governance()
        return bool(parked.held_back()) or any(_answered(case, ledger, governed) for case in asked)
    except HallmarkError:
        return False  # governance files are being edited, say: the run stays parked


def _answered(case: Case, ledger: Ledger, governed: Governance) -> bool:
    evidence = case.evidence
    if case.closed or evidence.policy_sha256 != governed.policy.digest():
        return True
    return gates.judge(evidence, ledger, governed, ledger.now()).state != "waiting"


def named(
    root: Path,
    client: SyncPrefectClient,
    state: StateType,
    runs: Collection[str],
    deployments: list[str] | None = None,
) -> list[FlowRun]:
    """Flow runs of some of the checkout's runs, or of other deployments', in one state."""
    if deployments == []:
        return []
    names = sorted(runs)
    chunks = [names[start : start + PAGE] for start in range(0, len(names), PAGE)]
    pages = (
        in_state(root, client, state, name=FlowRunFilterName(any_=some), deployments=deployments) for some in chunks
    )
    return [flow_run for page in pages for flow_run in page]


def in_state(
    root: Path,
    client: SyncPrefectClient,
    *states: StateType,
    name: FlowRunFilterName | None = None,
    deployments: list[str] | None = None,
) -> list[FlowRun]:
    """Every flow run of the checkout, or of other deployments, in one of the states, page by page, but such as name no
    run: these somebody made who reaches the server."""
    flow_runs: list[FlowRun] = []
    ours = [deployed.name(root)] if deployments is None else deployments
    state = FlowRunFilterState(type=FlowRunFilterStateType(any_=list(states)))
    while True:
        page = client.read_flow_runs(
            flow_filter=FlowFilter(name=FlowFilterName(any_=[deployed.FLOW])),
            deployment_filter=DeploymentFilter(name=DeploymentFilterName(any_=ours)),
            flow_run_filter=FlowRunFilter(state=state, name=name),
            sort=FlowRunSort.ID_DESC, limit=PAGE, offset=len(flow_runs),
        )  # fmt: skip
        flow_runs += page
        if len(page) < PAGE:
            return [flow_run for flow_run in flow_runs if _names_a_run(flow_run)]


def _names_a_run(flow_run: FlowRun) -> bool:
    try:
        return bool(run_id(flow_run))
    except HallmarkError:
        return False
