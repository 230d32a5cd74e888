"""Who executes a run: one process at a time, and whoever wants to know whether one does."""

import fcntl
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from tasks.core.errors import Refused

PATIENCE_SECONDS = 2.0
"""How long to ask for a run that is held: whoever only looks whether it is holds it for a moment too."""


@contextmanager
def only_one(state: Path, run_id: str, patience: float = PATIENCE_SECONDS) -> Iterator[None]:
    """Hold the run while it executes. Raises Refused where another process holds it; ends with the process."""
    path = _path(state, run_id)
    path.parent.mkdir(parents=True, exist_ok=True)
    deadline = time.monotonic() + patience
    with path.open("w") as lock:
        while not _taken(lock):
            if time.monotonic() > deadline:
                raise Refused(f"run {run_id} is being executed by another process; `hallmark status {run_id}`")
            time.sleep(0.05)
        yield


def held(state: Path, run_id: str) -> bool:
    """Whether a process executes the run now."""
    path = _path(state, run_id)
    if not path.exists():
        return False
    with path.open() as lock:
        return not _taken(lock)


def _taken(lock: IO[str]) -> bool:
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _path(state: Path, run_id: str) -> Path:
    return state / "runs" / f"{run_id}.lock"
