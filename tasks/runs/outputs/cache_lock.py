"""Lock of the caches, so that no cached file is removed while a run takes it or relies on it."""

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

from tasks.core.errors import Unavailable
from tasks.core.machine import locks

WAIT_SECONDS = 120.0
"""Maximum number of seconds to wait for runs that take files from the caches."""


def hold_for_use(state: Path) -> AbstractContextManager[None]:
    """Prevent the removal of cached files during the block. Not for the time in which a stage computes its outputs."""
    return locks.hold_shared_lock(_lock_path(state), "cached files that no run needs are being removed")


@contextmanager
def hold_for_removal(state: Path) -> Iterator[None]:
    """Prevent the use of cached files during the block.

    Raises:
        Unavailable: Runs take files from the caches for longer than WAIT_SECONDS.
    """
    with locks.try_exclusive_lock(_lock_path(state), WAIT_SECONDS) as mine:
        if not mine:
            raise Unavailable("runs take files from the cache, so none of these was removed; try again in some minutes")
        yield


def _lock_path(state: Path) -> Path:
    return state / "cache.lock"
