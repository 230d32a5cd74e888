"""Check of the CPU time of an action, repeated so that a garbage collection does not spoil it."""

import time
from collections.abc import Callable

from tests.patience import patience


def is_quick(action: Callable[[], object], seconds: float) -> bool:
    """Return whether at least one of three calls takes less than `seconds` of CPU time on a fast machine.

    It is for code that takes minutes if it is wrong, and a small part of `seconds` if it is right.
    """

    def quick() -> bool:
        began = time.thread_time()
        action()
        return time.thread_time() - began < patience(seconds)

    return any(quick() for _ in range(3))
