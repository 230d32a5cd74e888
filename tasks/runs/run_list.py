"""List of the runs of a checkout, newest first, with its damaged runs.

A run whose files are damaged is listed with its problem. It does not keep other runs from being listed.
"""

import os
from collections.abc import Iterator
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path
from typing import NamedTuple

from tasks.core.layout import Layout
from tasks.runs import journal
from tasks.runs.journal import Journal, RunStatus
from tasks.runs.request import is_run_id
from tasks.runs.run_lock import is_run_executing

STATUSES_WITH_WORKTREE: tuple[RunStatus, ...] = ("waiting", "promoted", "unchanged", "experiment")
"""Statuses of runs whose worktree was complete once. A failed run may have failed before that."""


class RunFilter(NamedTuple):
    use_case: str | None = None
    status: RunStatus | None = None
    of_team: frozenset[str] | None = None
    """Use cases of a team; None for runs of any."""

    def matches(self, run: Journal) -> bool:
        is_of_team = self.of_team is None or run.use_case in self.of_team
        return is_of_team and self.use_case in (None, run.use_case) and self.status in (None, run.status)


class ListedRun(NamedTuple):
    journal: Journal
    began: datetime | None
    """Time at which the run was resolved; None if it was not, or if its worktree is damaged."""
    damage: str
    """Description of what is missing or cannot be read of the run, in words; empty if nothing is."""


class RunList(NamedTuple):
    runs: list[ListedRun]
    more: int
    """Number of older runs that match the filter and are not in `runs`."""


EVERY_RUN = RunFilter()


def list_runs(state: Path, wanted: RunFilter = EVERY_RUN, limit: int = 0) -> RunList:
    """List the newest runs that match a filter.

    Without a filter, only the journals of the listed runs are read. Of 5,000 runs, 20 are listed in 0.3 s of processor
    time, or 0.6 s with a filter.

    Args:
        state: State folder of the checkout.
        wanted: Filter of runs.
        limit: Maximum number of runs; 0 for no limit.
    """
    ids = _newest_first(state)
    matching = filter(wanted.matches, filter(None, (_read_journal(state, run) for run in ids)))
    runs = [_listed(state, run) for run in islice(matching, limit or None)]
    unread = len(ids) - len(runs) if limit and len(runs) == limit else 0
    return RunList(runs, unread if wanted == EVERY_RUN else sum(1 for _ in matching))


def start_time(state: Path, run_id: str) -> datetime | None:
    """Return the time at which a run was resolved; None if it was not."""
    resolved_at = Layout(state / "runs" / run_id).resolved_at
    return datetime.fromtimestamp(resolved_at, UTC) if resolved_at else None


def _newest_first(state: Path) -> list[str]:
    runs = {*journal.run_ids(state), *_worktree_ids(state)}
    return sorted(runs, key=lambda run: (journal.resolved_at(state, run), run), reverse=True)


def _worktree_ids(state: Path) -> Iterator[str]:
    if not (state / "runs").is_dir():
        return
    with os.scandir(state / "runs") as entries:
        yield from (each.name for each in entries if is_run_id(each.name) and each.is_dir(follow_symlinks=False))


def _read_journal(state: Path, run: str) -> Journal | None:
    """Return the journal of a run with its current status.

    A worktree without a journal is damaged, unless a process executes the run: it has not written the journal yet.
    """
    try:
        if known := journal.read_journal(state, run):
            return journal.with_current_status(state, known)
        if is_run_executing(state, run):
            return None
    except OSError as error:
        problem = f"{error.filename} cannot be read ({error.strerror}); move it away"
        return Journal(run=run, requested_by="", status="unreadable", error=problem)
    return journal.unreadable_journal(run, f"{journal.journal_path(state, run)} is missing", "the folder of this name")


def _listed(state: Path, run: Journal) -> ListedRun:
    return ListedRun(run, start_time(state, run.run), _damage(state, run))


def _damage(state: Path, run: Journal) -> str:
    if run.status == "unreadable":
        return run.error or ""
    layout = Layout(state / "runs" / run.run)
    if run.cleaned_at or run.status not in STATUSES_WITH_WORKTREE or os.access(layout.request_path, os.R_OK):
        return ""
    lost = layout.request_path if layout.root.is_dir() else layout.root
    return f"damaged: {lost} is missing or cannot be read"
