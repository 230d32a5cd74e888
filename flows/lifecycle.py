"""Start, journal and end of a run."""

import os
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext, suppress
from pathlib import Path

from prefect import task
from prefect.client.schemas.objects import FlowRun
from prefect.context import FlowRunContext

from flows.flow_runs import tag_flow_run
from tasks.core.current_run import executing_run
from tasks.core.errors import HallmarkError, Unavailable
from tasks.core.escaping import escape_hidden, escape_logs
from tasks.runs import abbreviated_ids, journal, run_entries
from tasks.runs.checkout import Checkout
from tasks.runs.git.repository import Repository
from tasks.runs.journal import Journal, RunStatus
from tasks.runs.request import RunRequest, derived_run_id, new_run_id, require_run_id
from tasks.runs.requests.signed_requests import Envelope, require_matching_request
from tasks.runs.run import GIT_REMOTE_VARIABLE, Run, create_run, find_recorded_request, is_on_this_machine, run_layout
from tasks.runs.run_lease import hold_run_lease
from tasks.runs.run_lock import hold_run_lock
from tasks.runs.takeover import is_on_other_machine, take_over_run

POOL_VARIABLE = "HALLMARK_POOLED"
"""Environment variable that the worker of a work pool sets for the processes that it starts."""


def checkout_root() -> Path:
    """Return the root folder of the checkout: HALLMARK_ROOT, or else the current folder."""
    return Path(os.environ.get("HALLMARK_ROOT", ".")).resolve()


def state_folder() -> Path:
    return checkout_root() / ".hallmark"


def run_id_of_flow_run(flow_run: FlowRun) -> str:
    """Return the id of the run that a flow run executes: the requested id, or else one derived from the flow run.

    The parameters contain no id if the run was requested in Prefect's UI. The derived id stays the same when the flow
    run is suspended and resumed.

    Raises:
        InputError: The parameters of the flow run contain an invalid id.
    """
    request = flow_run.parameters.get("request")
    if isinstance(request, dict) and request.get("run_id"):
        return require_run_id(str(request["run_id"]))
    assert flow_run.created is not None, "a flow run that the server knows has a time of creation"
    return derived_run_id(flow_run.created, flow_run.id.hex)


def current_flow_run() -> FlowRun | None:
    """Return the flow run that executes this code; None if a flow is called as a plain function."""
    context = FlowRunContext.get()
    return context.flow_run if context else None


def flow_run_name() -> str:
    flow_run = current_flow_run()
    return run_id_of_flow_run(flow_run) if flow_run else ""


@contextmanager
def run_lifecycle(request: RunRequest, envelope: Envelope | None) -> Iterator[RunRequest]:
    """Lock the run during the block, and record in its journal how this execution ends.

    Yields:
        Run request, completed with the id of the run.

    Raises:
        Refused: The run exists and was requested with other parameters. Its journal is not changed.
        InputError: The id of the run can be confused with another run id.
    """
    escape_logs()
    flow_run = current_flow_run()
    run = run_id_of_flow_run(flow_run) if flow_run else request.run_id or new_run_id()
    asked = request.model_copy(update={"run_id": run})
    with executing_run(run), hold_run_lock(state_folder(), run), _hold_lease(run):
        if works_for_pool():
            _fetch_run(run, asked.commit)
        _require_same_request(asked, envelope)
        before = journal.read_journal(state_folder(), run)
        if before is None or before.status == "unreadable":
            before = Journal(
                run=run, requested_by=request.requested_by, reason=request.reason, demo=request.demo_approvals
            )
        this = str(flow_run.id) if flow_run else None
        finished = before.stages if this and this == before.flow_run else {}
        update_journal(before, status="running", doing="", flow_run=this, stages=finished, error=None, exit_code=0)
        try:
            yield asked
        except HallmarkError as error:
            _record_failure(run, str(error), error.exit_code)
            raise
        except Exception as error:
            _record_failure(run, escape_hidden(f"{type(error).__name__}: {error}"), 1)
            raise


def _hold_lease(run: str) -> AbstractContextManager[None]:
    """Hold the lease of a run, so that no other machine executes it.

    If another machine has already taken over the run, no lease is acquired, and the next stage reports the takeover.
    """
    with suppress(Unavailable):
        if not works_for_pool() and is_on_other_machine(Checkout(checkout_root()).ledger, checkout_root(), run):
            return nullcontext()
    return hold_run_lease(checkout_root(), run)


def works_for_pool() -> bool:
    """Return whether the worker of a work pool started this process. Machines of a pool continue each other's runs."""
    return POOL_VARIABLE in os.environ


def _fetch_run(run: str, commit: str | None) -> None:
    checkout, remote = Repository.open(checkout_root()), os.environ.get(GIT_REMOTE_VARIABLE)
    if commit and remote and not checkout.has_commit(commit):
        checkout.fetch_branches(remote)
    begun = find_recorded_request(checkout_root(), run) is not None and Checkout(checkout_root()).ledger.entries(
        run_entries.RESOLVED_KIND, run
    )
    if begun and (
        is_on_other_machine(Checkout(checkout_root()).ledger, checkout_root(), run)
        or not is_on_this_machine(run_layout(checkout_root(), run))
    ):
        take_over_run(checkout_root(), run)


def _record_failure(run: str, error: str, exit_code: int) -> None:
    """Record that a run has failed. The error message is not written to the ledger, because it can quote a row."""
    known = update_journal(run, status="failed", doing="", error=error, exit_code=exit_code)
    with suppress(HallmarkError):
        ledger = Checkout(checkout_root()).ledger
        is_requested = find_recorded_request(checkout_root(), run) or run_entries.is_run_of_occasion(ledger, run)
        if is_requested and not is_on_other_machine(ledger, checkout_root(), run):
            run_entries.record_end(ledger, run, "failed", known.commit, None)


def _require_same_request(request: RunRequest, envelope: Envelope | None) -> None:
    with suppress(Unavailable):
        if known := find_recorded_request(checkout_root(), request.required_run_id):
            require_matching_request(known, request, envelope)
        abbreviated_ids.require_unambiguous_id(state_folder(), request.required_run_id)


def update_journal(run: str | Journal, **changes: object) -> Journal:
    known = journal.read_journal(state_folder(), run) if isinstance(run, str) else run
    assert known is not None, "a run's journal is made before its first stage"
    if known.status == "unreadable":  # another process has damaged it during the run
        changes = {"status": "running", "error": None} | changes
    changed = known.model_copy(update=changes)
    journal.write_journal(state_folder(), changed)
    return changed


@contextmanager
def show_activity(run: str, description: str) -> Iterator[None]:
    update_journal(run, doing=description)
    yield
    update_journal(run, doing="")


@task(task_run_name="resolve", persist_result=False)
def resolve_run(request: RunRequest, envelope: Envelope | None) -> Run:
    with show_activity(request.required_run_id, "finding and digesting its sources"):
        run = create_run(checkout_root(), request, envelope)
        if works_for_pool() and not run.ledger().entries(run_entries.RESOLVED_KIND, run.id):
            run.push_to_remotes(
                replace_ref=True
            )  # before it is recorded as resolved: from then on, other machines may fetch it
    run_entries.record_resolution(run.ledger(), run.layout, run.id)
    update_journal(run.id, use_case=run.params.use_case.name, price_per_hour=run.params.evaluation.price_per_hour)
    if flow_run := current_flow_run():
        tag_flow_run(flow_run, run)
    return run


def record_evaluation(run: Run) -> None:
    run_entries.record_evaluation(run.ledger(), run.layout, run.id, run.params)


def end_run(run: Run, status: RunStatus, release: str | None) -> str:
    commit = run.commit_files(f"End run {run.id}: {status}")
    run_entries.record_end(run.ledger(), run.id, status, commit, release)
    update_journal(run.id, status=status, release=release, commit=commit)
    return status
