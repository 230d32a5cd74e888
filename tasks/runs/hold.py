"""Who executes a run: one process at a time, and whoever wants to know whether one does."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tasks.core import locks
from tasks.core.errors import Refused
from tasks.runs.request import checked_run_id

PATIENCE_SECONDS = 2.0
"""How long to ask for a run that is held: whoever only looks whether it is holds it for a moment too."""


@contextmanager
def only_one(state: Path, run_id: str, patience: float = PATIENCE_SECONDS) -> Iterator[None]:
    """Hold the run while it executes. Raises Refused where another process holds it; ends with the process."""
    with locks.attempt(_path(state, run_id), patience) as mine:
        if not mine:
            raise Refused(f"run {run_id} is being executed by another process; `hallmark status {run_id}`")
        yield


def held(state: Path, run_id: str) -> bool:
    """Whether a process executes the run now."""
    return locks.is_held(_path(state, run_id))


def _path(state: Path, run_id: str) -> Path:
    return state / "runs" / f"{checked_run_id(run_id)}.lock"
