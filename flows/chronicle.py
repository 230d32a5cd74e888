"""A run's beginning, its journal, and its end."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from prefect import task
from prefect.context import FlowRunContext

from tasks.errors import HallmarkError
from tasks.runs import journal
from tasks.runs.journal import Journal, Status
from tasks.runs.request import RunRequest
from tasks.runs.run import Run, create, only_one


def root() -> Path:
    """The checkout that flows work for: HALLMARK_ROOT, else the current folder."""
    return Path(os.environ.get("HALLMARK_ROOT", ".")).resolve()


def state() -> Path:
    return root() / ".hallmark"


@contextmanager
def chronicle(request: RunRequest) -> Iterator[None]:
    """Hold the run, and write down how this execution of it ends: parked, failed, or by `end`."""
    with only_one(state(), request.run_id):
        context = FlowRunContext.get()
        flow_run = str(context.flow_run.id) if context and context.flow_run else None
        before = journal.read(state(), request.run_id) or Journal(
            run=request.run_id, requested_by=request.requested_by, demo=request.demo_approvals
        )
        note(before, status="running", flow_run=flow_run, error=None, exit_code=0)
        try:
            yield
        except HallmarkError as error:
            note(request.run_id, status="failed", error=str(error), exit_code=error.exit_code)
            raise
        except Exception as error:
            note(request.run_id, status="failed", error=f"{type(error).__name__}: {error}", exit_code=1)
            raise


def note(run: str | Journal, **changes: object) -> Journal:
    """Write changes into a run's journal."""
    known = journal.read(state(), run) if isinstance(run, str) else run
    assert known is not None, "a run's journal is made before its first stage"
    changed = known.model_copy(update=changes)
    journal.write(state(), changed)
    return changed


@task(task_run_name="resolve")
def resolve(request: RunRequest) -> Run:
    """Make the run's worktree and first commit, or open it where it is there already."""
    run = create(root(), request)
    note(run.id, use_case=run.params.use_case.name)
    return run


def end(run: Run, status: Status, release: str | None) -> str:
    """Commit what the run made on its ref and close its journal."""
    commit = run.commit(f"End run {run.id}: {status}")
    note(run.id, status=status, release=release, commit=commit)
    return status
