"""Removal of what a plan names. It can be interrupted at any time: the next one removes the rest.

Each run is looked at again under its lock, because it can go on after the plan was made. What is removed of it is in
the ledger before.
"""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import NamedTuple

from tasks.cleanup import checkpoints, run_files
from tasks.cleanup.plan import Plan, RunToClean, find_cached
from tasks.core.errors import Refused
from tasks.runs import installation, journal, run_entries
from tasks.runs.checkout import Checkout
from tasks.runs.outputs import cache_lock
from tasks.runs.run_lock import hold_run_lock

OnLine = Callable[[str], None]


class Removed(NamedTuple):
    runs: list[str]
    """Ids of the runs whose files were removed."""
    size: int
    """Size in bytes of all that was removed."""


def carry_out(here: Checkout, plan: Plan, on_line: OnLine) -> Removed:
    """Remove what a plan names.

    Args:
        here: Checkout for which the plan was made.
        plan: Plan to carry out.
        on_line: Called with each line of progress.

    Raises:
        Unavailable: The ledger cannot be reached, or runs take files from the cache the whole time.
    """
    removed, size = [], 0
    for number, each in enumerate(plan.runs, 1):
        on_line(f"run {each.journal.run} ({number} of {len(plan.runs)})")
        if _clean_run(here, each):
            removed.append(each.journal.run)
            size += each.size
    size += _remove_cached(here, set(plan.cleaned) - {each.journal.run for each in plan.runs} | set(removed), on_line)
    return Removed(removed, size + _remove_checkpoints(plan))


def _clean_run(here: Checkout, planned: RunToClean) -> bool:
    """Remove the files of a run. Return whether they were removed; False if the run is needed by now."""
    run = planned.journal.run
    try:
        with hold_run_lock(here.state, run, wait_seconds=0):
            known = journal.read_journal(here.state, run)
            if known is None or known.status != planned.journal.status:
                return False
            if known.cleaned_at is None:
                own = installation.installation_id(here.root)
                run_entries.record_cleaning(here.ledger, run, own, known.status, planned.size)
                journal.write_journal(here.state, known.model_copy(update={"cleaned_at": datetime.now(UTC)}))
            for path in planned.paths:
                run_files.remove(path)
    except Refused:  # a process executes it
        return False
    return True


def _remove_cached(here: Checkout, cleaned: set[str], on_line: OnLine) -> int:
    with cache_lock.hold_for_removal(here.state):
        found = find_cached(here.state, sorted(cleaned))
        on_line(f"{len(found.objects):,} cached files")
        size = run_files.size_in_bytes(found.paths)
        for path in found.paths:
            run_files.remove(path)
    return size


def _remove_checkpoints(plan: Plan) -> int:
    size = 0
    for folder in plan.checkpoints:
        taken = run_files.size_in_bytes([folder])
        if plan.unfinished_before and checkpoints.remove_unused(folder, plan.unfinished_before):
            size += taken
    return size
