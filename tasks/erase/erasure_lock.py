"""Lock that lets one command at a time on this machine change an erasure."""

from contextlib import AbstractContextManager
from pathlib import Path

from tasks.core.machine import locks

LOCK_FILE = "erasure.lock"


def hold_lock(state: Path) -> AbstractContextManager[None]:
    """Hold the lock during the block, after waiting for any other process that holds it.

    What the ledger says about an erasure is read under the lock.
    """
    return locks.hold_exclusive_lock(state / LOCK_FILE, "another command works on an erasure")
