"""Lock that lets one process at a time execute a run."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tasks.core.errors import Refused
from tasks.core.machine import locks
from tasks.runs.request import require_run_id

LOCK_WAIT_SECONDS = 2.0
"""Maximum time in seconds to wait for the lock. A process that only checks the lock also holds it for a moment."""


@contextmanager
def hold_run_lock(state: Path, run_id: str, wait_seconds: float = LOCK_WAIT_SECONDS) -> Iterator[None]:
    """Hold the lock of a run during the block. The lock is released if the process dies.

    Raises:
        Refused: Another process is executing the run.
    """
    with locks.try_exclusive_lock(_lock_path(state, run_id), wait_seconds) as mine:
        if not mine:
            raise Refused(f"run {run_id} is being executed by another process; `hallmark runs show {run_id}`")
        yield


def is_run_executing(state: Path, run_id: str) -> bool:
    return locks.is_held(_lock_path(state, run_id))


def _lock_path(state: Path, run_id: str) -> Path:
    return state / "runs" / f"{require_run_id(run_id)}.lock"
