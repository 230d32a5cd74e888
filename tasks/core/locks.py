"""One process at a time: locks between the processes of a machine.

The system lets go of a lock when its process ends, however it ends; a lock file that lies there means nothing.
"""

import fcntl
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO


@contextmanager
def turn(path: Path, busy: str) -> Iterator[None]:
    """Hold the lock file. Where another process holds it, say on stderr that it is `busy`, and wait."""
    with _opened(path) as file:
        if not _take(file):
            print(f"{busy}; waiting until it is over", file=sys.stderr, flush=True)
            fcntl.flock(file, fcntl.LOCK_EX)
        yield


@contextmanager
def attempt(path: Path, patience: float = 0.0) -> Iterator[bool]:
    """Hold the lock file; yields False where another process still holds it after `patience` seconds."""
    deadline = time.monotonic() + patience
    with _opened(path) as file:
        while not (taken := _take(file)) and time.monotonic() < deadline:
            time.sleep(0.05)
        yield taken


def is_held(path: Path) -> bool:
    """Whether a process holds the lock file now. Writes nothing, but holds it for a moment itself."""
    if not path.exists():
        return False
    with path.open() as file:
        return not _take(file, fcntl.LOCK_SH)


def _opened(path: Path) -> IO[str]:
    path.parent.mkdir(parents=True, exist_ok=True)
    return path.open("a")


def _take(file: IO[str], how: int = fcntl.LOCK_EX) -> bool:
    try:
        fcntl.flock(file, how | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
