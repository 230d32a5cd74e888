"""Periodic work on orphaned flow runs, reminders, deadlines, incidents and published heads of the ledger.

The watch (infra/prefect/watch.py) does this work because no other process can. A person who decides signs a ledger
entry and need not reach Prefect, a killed process cannot report its end, and deadlines and waivers expire without any
action. Whenever the ledger has grown, the watch also publishes a signed head to a location where the ledger's owner
cannot rewrite it. suspended_runs.py resumes the suspended runs.

If several machines share a ledger, one of them does the shared work (`shared_periodic_work`), and each does the work
that concerns only itself (`local_periodic_work`). If two machines do the shared work at the same time, everything is
still recorded only once, because every step reads the ledger in the transaction in which it writes.
"""

from collections.abc import Callable
from functools import partial
from pathlib import Path

from prefect.client.orchestration import SyncPrefectClient, get_client
from prefect.client.schemas.objects import FlowRun, StateType
from prefect.states import Scheduled

from flows.lifecycle import run_id_of_flow_run
from flows.partial_work import PartialFailure, PartialWork
from flows.suspended_runs import flow_runs_in_state
from tasks.core.errors import InputError, Refused
from tasks.gates import cases, reminders
from tasks.gates.cases import GateCase
from tasks.incidents import incidents
from tasks.ledger.heads import publication
from tasks.ledger.ledger import Entry, Ledger
from tasks.policy import in_force
from tasks.policy.governance import Governance
from tasks.registry.admit import ledger_rollback, outbox
from tasks.registry.promote import promotion, waivers
from tasks.registry.release import promotions
from tasks.runs import journal
from tasks.runs.checkout import Checkout
from tasks.runs.governance_cache import GovernanceCache
from tasks.runs.run_lock import hold_run_lock

GONE_MESSAGE = "its process was gone"
"""Message of the state with which a flow run is rescheduled after its process has died."""
ORPHAN_STATES = (StateType.RUNNING, StateType.PENDING, StateType.CRASHED)
"""States of flow runs whose process may have died."""


def shared_periodic_work(root: Path) -> list[str]:
    """Remind people of open gates, escalate and close overdue gates, and open incidents.

    Incidents are opened about expired waivers and about ledgers that were rolled back. Incidents that were not closed
    in time are escalated.

    Returns:
        Descriptions of the entries that were recorded.

    Raises:
        PartialFailure: Some parts failed; the other parts are done.
    """
    here, parts = Checkout(root), PartialWork()
    ledger, rules = here.ledger, here.governance_cache
    parts.attempt("gates that wait", lambda: _remind_of_gates(ledger, rules.governance_of_any_run))
    parts.attempt("waivers", lambda: _raise_expired_waivers(ledger, rules))
    raising: dict[str, Callable[[Ledger, Governance], list[Entry]]] = {
        "ledgers that were rolled back": ledger_rollback.open_incidents,
        "incidents that nobody closed": incidents.escalate_overdue_incidents,
    }
    for what, raised in raising.items():
        parts.attempt(what, partial(_raise_incidents, raised, ledger, rules))
    parts.attempt(
        "records of ledgers that were rolled back", lambda: _raise_if_failed(ledger_rollback.invalid_records(ledger))
    )
    return parts.finish()


def local_periodic_work(root: Path) -> list[str]:
    """Do the periodic work that only this machine can do.

    Admission records that were stored while the ledger was unavailable are written to it, and interrupted promotions of
    this machine are completed or undone. Changed registry aliases are restored. Reminders are sent for gates whose
    governance files are only on this machine.

    Returns:
        Descriptions of the actions that were taken.

    Raises:
        PartialFailure: Some parts failed; the other parts are done.
    """
    here, parts = Checkout(root), PartialWork()
    ledger, rules = here.ledger, here.governance_cache
    parts.attempt("records kept of admissions", lambda: _deliver_admissions(here))
    parts.attempt(
        "gates that wait",
        lambda: _remind_of_gates(ledger, rules.governance_of_run_with_own_files, report_unreadable=False),
    )
    parts.attempt("promotions that were interrupted", lambda: promotion.recover(ledger, rules.adopted_governance()))
    parts.attempt("aliases", lambda: promotion.restore_aliases(ledger, rules.adopted_governance()))
    return parts.finish()


def _deliver_admissions(here: Checkout) -> list[str]:
    """Deliver the stored admission records, unless the ledger was changed: they would be lost with it."""
    if outbox.has_records(here.state):
        in_force.require_unchanged_ledger(here.ledger, here.governance_cache.adopted_governance())
    delivered = outbox.deliver_records(here.ledger, here.state)
    notes = [f"admission: {delivered} records that were kept while the ledger was away"] if delivered else []
    return _raise_if_failed(outbox.invalid_files(here.state), notes)


GovernanceLookup = Callable[[str], Governance | None]
"""Function that returns the governance that applies to a run; None if another machine is responsible for the run."""


def _remind_of_gates(ledger: Ledger, governance_of: GovernanceLookup, report_unreadable: bool = True) -> list[str]:
    parts = PartialWork()
    asked = ledger.open_questions()
    for entry, case in zip(asked, cases.cases_or_errors(asked, ledger), strict=True):
        if isinstance(case, Refused):
            parts.add_failures([f"{case}; run {entry.subject} is reminded of nothing"] * report_unreadable)
        else:
            what = f"gate {case.evidence.gate} of run {entry.subject}"
            parts.attempt(what, partial(_remind_of_gate, case, ledger, governance_of))
    return parts.finish()


def _remind_of_gate(case: GateCase, ledger: Ledger, governance_of: GovernanceLookup) -> list[str]:
    try:
        governed = governance_of(case.evidence.run)
        if governed is None:
            return []
        recorded = reminders.record_due_notices(ledger, governed, case)
    except (InputError, Refused):
        return []  # the run is resumed and reports this
    return [f"{entry.kind}: {case.evidence.gate} gate of run {case.evidence.run}" for entry in recorded]


def _raise_expired_waivers(ledger: Ledger, rules: GovernanceCache) -> list[str]:
    parts = PartialWork()
    for name in promotions.model_names(ledger):
        parts.attempt(
            f"waivers of {name}", partial(_raise_incidents, partial(waivers.open_incidents, name), ledger, rules)
        )
    return parts.finish()


def _raise_incidents(
    open_incidents: Callable[[Ledger, Governance], list[Entry]], ledger: Ledger, rules: GovernanceCache
) -> list[str]:
    return [f"{entry.kind}: {entry.subject}" for entry in open_incidents(ledger, rules.adopted_governance())]


def _raise_if_failed(reasons: list[str], done: list[str] | None = None) -> list[str]:
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
        return [run_id_of_flow_run(flow_run) for flow_run in orphans if reschedule_flow_run(root, client, flow_run)]


def reschedule_flow_run(root: Path, client: SyncPrefectClient, flow_run: FlowRun) -> bool:
    """Reschedule a flow run unless a process executes it or it has ended, and return whether it was rescheduled.

    If two calls reschedule the same flow run at the same time, only one of them succeeds.
    """
    run = run_id_of_flow_run(flow_run)
    try:
        with hold_run_lock(root / ".hallmark", run):
            now = client.read_flow_run(flow_run.id).state
            if now is None or now.type not in ORPHAN_STATES:
                return False
            if now.type == StateType.CRASHED and not is_unfinished(root, run, flow_run):
                return False
            client.set_flow_run_state(flow_run.id, Scheduled(message=GONE_MESSAGE), force=True)
            return True
    except Refused:
        return False  # a process executes the run


def is_unfinished(root: Path, run: str, flow_run: FlowRun) -> bool:
    """Return whether the journal of a run says that this flow run executes it. Its process may have died."""
    known = journal.read_journal(root / ".hallmark", run)
    return known is not None and known.status == "running" and known.flow_run == str(flow_run.id)
