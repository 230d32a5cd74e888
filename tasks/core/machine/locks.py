"""File locks between processes on one machine.

The operating system releases a lock when the process that holds it ends. So a lock file can exist without being
locked.
"""

import fcntl
import os
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO


@contextmanager
def hold_exclusive_lock(path: Path, waiting_message: str) -> Iterator[None]:
    """Hold an exclusive lock on a file during the block. Wait for the lock without a time limit.

    Args:
        path: Lock file, which is created if necessary.
        waiting_message: Message printed to stderr if another process holds the lock, for example "another command
            starts Prefect".
    """
    with _hold_lock(path, waiting_message, fcntl.LOCK_EX):
        yield


@contextmanager
def hold_shared_lock(path: Path, waiting_message: str) -> Iterator[None]:
    """Hold a shared lock on a file during the block. Wait without a time limit for an exclusive lock to be released.

    Args:
        path: Lock file, which is created if necessary.
        waiting_message: Message printed to stderr if another process holds an exclusive lock.
    """
    with _hold_lock(path, waiting_message, fcntl.LOCK_SH):
        yield


@contextmanager
def _hold_lock(path: Path, waiting_message: str, lock_type: int) -> Iterator[None]:
    with _open_lock_file(path) as file:
        if not _try_lock(file, lock_type):
            print(f"{waiting_message}; waiting until it is over", file=sys.stderr, flush=True)
            fcntl.flock(file, lock_type)
        yield


@contextmanager
def try_exclusive_lock(path: Path, max_wait_seconds: float = 0.0) -> Iterator[bool]:
    """Try to hold an exclusive lock on a file during the block.

    Args:
        path: Lock file, which is created if necessary.
        max_wait_seconds: Maximum number of seconds to wait for the lock.

    Yields:
        Whether this process holds the lock.
    """
    deadline = time.monotonic() + max_wait_seconds
    with _open_lock_file(path) as file:
        while not (taken := _try_lock(file)) and time.monotonic() < deadline:
            time.sleep(0.05)
        yield taken


def is_held(path: Path) -> bool:
    """Return whether any process holds a lock on a file. The check itself briefly takes a shared lock."""
    try:
        handle = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_NOFOLLOW)  # it may be somebody's pipe or link
    except FileNotFoundError:
        return False
    with os.fdopen(handle) as file:
        return not _try_lock(file, fcntl.LOCK_SH)


def _open_lock_file(path: Path) -> IO[str]:
    path.parent.mkdir(parents=True, exist_ok=True)
    return path.open("a")


def _try_lock(file: IO[str], lock_type: int = fcntl.LOCK_EX) -> bool:
    try:
        fcntl.flock(file, lock_type | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
