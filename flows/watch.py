"""Periodic work: orphaned flow runs, reminders, deadlines, incidents, and published heads of the ledger.

The watch (infra/prefect/watch.py) does this work because no other process can: a person who decides signs a ledger
entry and need not reach Prefect, a killed process cannot report its end, and deadlines and waivers expire without any
action. suspended_runs.py resumes the suspended runs. Whenever the ledger has grown, a signed head is published to a
location where the ledger's owner cannot rewrite it.

If several machines share a ledger, one of them does the shared work (`shared_periodic_work`), and each does the work
that concerns only itself (`local_periodic_work`). If two machines do the shared work at the same time, everything is
still recorded once, because every step reads the ledger in the transaction in which it writes.
"""

from collections.abc import Callable
from functools import partial
from pathlib import Path

from prefect.client.orchestration import SyncPrefectClient, get_client
from prefect.client.schemas.objects import FlowRun, StateType
from prefect.states import Scheduled

from flows.lifecycle import run_id
from flows.partial_work import PartialFailure, PartialWork
from flows.suspended_runs import flow_runs_in_state
from tasks.core.errors import InputError, Refused
from tasks.gates import cases, reminders
from tasks.gates.cases import GateCase
from tasks.incidents import incidents
from tasks.ledger.heads import publication
from tasks.ledger.ledger import Entry, Ledger
from tasks.policy.governance import Governance
from tasks.registry.admit import ledger_rollback, outbox
from tasks.registry.promote import promotion, waivers
from tasks.runs import journal
from tasks.runs.checkout import Checkout
from tasks.runs.governance_cache import GovernanceCache
from tasks.runs.run_lock import hold_run_lock

ORPHAN_STATES = (StateType.RUNNING, StateType.PENDING, StateType.CRASHED)
"""States of flow runs whose process can have died."""


def shared_periodic_work(root: Path) -> list[str]:
    """Remind people of open gates, escalate and close overdue gates, and raise incidents.

    Incidents are raised about expired waivers and about ledgers that were rolled back. Incidents that were not closed
    in time are escalated.

    Returns:
        Descriptions of the entries that were recorded.

    Raises:
        PartialFailure: Some parts failed; the other parts are done.
    """
    here, parts = Checkout(root), PartialWork()
    ledger, rules = here.ledger, here.rules
    parts.attempt("gates that wait", lambda: _remind(ledger, rules.of_any_run))
    raising: dict[str, Callable[[Ledger, Governance], list[Entry]]] = {
        "waivers": waivers.raise_incidents,
        "ledgers that were rolled back": ledger_rollback.raise_incidents,
        "incidents that nobody closed": incidents.escalate_overdue,
    }
    for what, raised in raising.items():
        parts.attempt(what, partial(_raise_incidents, raised, ledger, rules))
    parts.attempt(
        "records of ledgers that were rolled back", lambda: _raise_failures(ledger_rollback.invalid_records(ledger))
    )
    return parts.finish()


def local_periodic_work(root: Path) -> list[str]:
    """Do the periodic work that only this machine can do.

    Stored admission records are written to the ledger, reminders are sent for gates whose governance files are only on
    this machine, interrupted promotions of this machine are finished or undone, and changed registry aliases are
    restored.

    Returns:
        Descriptions of the actions that were taken.

    Raises:
        PartialFailure: Some parts failed; the other parts are done.
    """
    here, parts = Checkout(root), PartialWork()
    ledger, rules = here.ledger, here.rules
    parts.attempt("records kept of admissions", lambda: _deliver(ledger, here.state))
    parts.attempt("gates that wait", lambda: _remind(ledger, rules.of_run_with_own_files, tell=False))
    parts.attempt("promotions that were interrupted", lambda: promotion.recover(ledger, rules.installed()))
    parts.attempt("aliases", lambda: promotion.restore_aliases(ledger, rules.installed()))
    return parts.finish()


def _deliver(ledger: Ledger, state: Path) -> list[str]:
    delivered = outbox.deliver(ledger, state)
    notes = [f"admission: {delivered} records that were kept while the ledger was away"] if delivered else []
    return _raise_failures(outbox.invalid_files(state), notes)


GovernanceLookup = Callable[[str], Governance | None]
"""Function that returns the governance that applies to a run; None if another machine is responsible for the run."""


def _remind(ledger: Ledger, judging: GovernanceLookup, tell: bool = True) -> list[str]:
    parts = PartialWork()
    asked = ledger.open_questions()
    for entry, case in zip(asked, cases.readable_or_error(asked, ledger), strict=True):
        if isinstance(case, Refused):
            parts.add_failures([f"{case}; run {entry.subject} is reminded of nothing"] * tell)
        else:
            what = f"gate {case.evidence.gate} of run {entry.subject}"
            parts.attempt(what, partial(_remind_of, case, ledger, judging))
    return parts.finish()


def _remind_of(case: GateCase, ledger: Ledger, judging: GovernanceLookup) -> list[str]:
    try:
        governed = judging(case.evidence.run)
        if governed is None:
            return []
        recorded = reminders.remind(ledger, governed, case)
    except (InputError, Refused):
        return []  # the run is resumed and reports this
    return [f"{entry.kind}: {case.evidence.gate} gate of run {case.evidence.run}" for entry in recorded]


def _raise_incidents(
    raised: Callable[[Ledger, Governance], list[Entry]], ledger: Ledger, rules: GovernanceCache
) -> list[str]:
    return [f"{entry.kind}: {entry.subject}" for entry in raised(ledger, rules.installed())]


def _raise_failures(reasons: list[str], done: list[str] | None = None) -> list[str]:
    if reasons:
        raise PartialFailure(done or [], reasons)
    return done or []


def publish_heads(root: Path) -> list[str]:
    """Publish a signed head of the ledger if the ledger has grown, and return warnings."""
    here = Checkout(root)
    return publication.publish_if_changed(here.ledger, here.governance)


def reschedule_orphans(root: Path) -> list[str]:
    """Reschedule every unfinished flow run that no process executes, and return the ids of their runs."""
    with get_client(sync_client=True) as client:
        orphans = flow_runs_in_state(root, client, *ORPHAN_STATES)
        return [run_id(flow_run) for flow_run in orphans if reschedule(root, client, flow_run)]


def reschedule(root: Path, client: SyncPrefectClient, flow_run: FlowRun) -> bool:
    """Reschedule a flow run, and return whether this was done.

    The flow run is not rescheduled if a process executes it, if it has ended, or if another call was faster.
    """
    run = run_id(flow_run)
    try:
        with hold_run_lock(root / ".hallmark", run):
            now = client.read_flow_run(flow_run.id).state
            if now is None or now.type not in ORPHAN_STATES:
                return False
            if now.type == StateType.CRASHED and not _is_unfinished(root, run, flow_run):
                return False
            client.set_flow_run_state(flow_run.id, Scheduled(message="its process was gone"), force=True)
            return True
    except Refused:
        return False  # a process executes the run


def _is_unfinished(root: Path, run: str, flow_run: FlowRun) -> bool:
    known = journal.read(root / ".hallmark", run)
    return known is not None and known.status == "running" and known.flow_run == str(flow_run.id)
