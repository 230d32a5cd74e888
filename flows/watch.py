"""What keeps going that nothing else would: orphans of a crash, what time brings; parked.py has the parked runs.

Beside that, it takes a signed head of the ledger to where its owner cannot rewrite it, whenever the ledger grew.

The watch calls all of it (infra/prefect/watch.py). Who decides has signed an entry of the ledger and need not reach
Prefect; a process that was killed tells nobody; and nobody is there when a deadline passes or a waiver expires.

Of several machines that share a ledger one does what is done for all of them (`time_passes`); each does what lies on it
alone (`own_time_passes`). Two that do the former at once record each thing once: every step looks at the ledger inside
of the transaction that it writes in.
"""

from collections.abc import Callable
from functools import partial
from pathlib import Path

from prefect.client.orchestration import SyncPrefectClient, get_client
from prefect.client.schemas.objects import FlowRun, StateType
from prefect.states import Scheduled

from flows.lifecycle import run_id
from flows.parked import in_state
from flows.partly import Partly, Parts
from tasks.core.errors import InputError, Refused
from tasks.gates import cases, reminders
from tasks.gates.cases import Case
from tasks.incidents import incidents
from tasks.ledger.heads import publish
from tasks.ledger.ledger import Entry, Ledger, open_ledger
from tasks.policy.governance import Governance
from tasks.registry.admit import rolled_back, undelivered
from tasks.registry.promote import promotion, waivers
from tasks.runs import journal
from tasks.runs.hold import only_one
from tasks.runs.rules import Rules
from tasks.runs.run import installed_governance

ORPHANED = (StateType.RUNNING, StateType.PENDING, StateType.CRASHED)
"""States in which a flow run may be that nobody executes."""


def time_passes(root: Path) -> list[str]:
    """Remind of gates, escalate and close them; raise incidents over waivers that expired, ledgers that were rolled
    back and what nobody confirmed.

    Returns in words what was recorded. Raises Partly where something could not be looked at; all the rest was then.
    """
    ledger, parts = open_ledger(root / ".hallmark"), Parts()
    rules = Rules(root, ledger)
    parts.attempt("gates that wait", lambda: _remind(ledger, rules.anywhere))
    raising: dict[str, Callable[[Ledger, Governance], list[Entry]]] = {
        "waivers": waivers.raise_incidents,
        "ledgers that were rolled back": rolled_back.raise_incidents,
        "incidents that nobody closed": incidents.escalate_overdue,
    }
    for what, raised in raising.items():
        parts.attempt(what, partial(_raise, raised, ledger, rules))
    parts.attempt("records of ledgers that were rolled back", lambda: _failing(rolled_back.passed_over(ledger)))
    return parts.done()


def own_time_passes(root: Path) -> list[str]:
    """What no other machine can do: deliver what was kept of admissions, remind of gates whose governance files are
    here alone, finish or undo promotions that were interrupted here, set back aliases that somebody moved.

    Returns and raises as `time_passes`.
    """
    ledger, state, parts = open_ledger(root / ".hallmark"), root / ".hallmark", Parts()
    rules = Rules(root, ledger)
    parts.attempt("records kept of admissions", lambda: _deliver(ledger, state))
    parts.attempt("gates that wait", lambda: _remind(ledger, rules.only_here, tell=False))
    parts.attempt("promotions that were interrupted", lambda: promotion.reconcile(ledger, rules.installed()))
    parts.attempt("aliases", lambda: promotion.set_aliases(ledger, rules.installed()))
    return parts.done()


def _deliver(ledger: Ledger, state: Path) -> list[str]:
    delivered = undelivered.deliver(ledger, state)
    notes = [f"admission: {delivered} records that were kept while the ledger was away"] if delivered else []
    return _failing(undelivered.set_aside(state), notes)


Judging = Callable[[str], Governance | None]
"""Takes a run; what its gates are judged by, None where another machine sees to it."""


def _remind(ledger: Ledger, judging: Judging, tell: bool = True) -> list[str]:
    """`tell`: also of gates that cannot be read, whoever's they are."""
    parts = Parts()
    asked = ledger.questions()
    for entry, case in zip(asked, cases.read_open(asked, ledger), strict=True):
        if isinstance(case, Refused):
            parts.failed([f"{case}; run {entry.subject} is reminded of nothing"] * tell)
        else:
            what = f"gate {case.evidence.gate} of run {entry.subject}"
            parts.attempt(what, partial(_remind_of, case, ledger, judging))
    return parts.done()


def _remind_of(case: Case, ledger: Ledger, judging: Judging) -> list[str]:
    try:
        governed = judging(case.evidence.run)
        if governed is None:
            return []
        recorded = reminders.remind(ledger, governed, case)
    except (InputError, Refused):
        return []  # its run is resumed and says so
    return [f"{entry.kind}: {case.evidence.gate} gate of run {case.evidence.run}" for entry in recorded]


def _raise(raised: Callable[[Ledger, Governance], list[Entry]], ledger: Ledger, rules: Rules) -> list[str]:
    return [f"{entry.kind}: {entry.subject}" for entry in raised(ledger, rules.installed())]


def _failing(reasons: list[str], done: list[str] | None = None) -> list[str]:
    if reasons:
        raise Partly(done or [], reasons)
    return done or []


def publish_heads(root: Path) -> list[str]:
    """Publish a head of the ledger where it grew. Returns what somebody should be told."""
    return publish.publish_grown(open_ledger(root / ".hallmark"), installed_governance(root, None))


def revive_orphans(root: Path) -> list[str]:
    """Schedule again every flow run that nothing executes and that has not ended. Returns the ids of their runs."""
    with get_client(sync_client=True) as client:
        orphans = in_state(root, client, *ORPHANED)
        return [run_id(flow_run) for flow_run in orphans if revive(root, client, flow_run)]


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
