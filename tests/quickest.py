"""How much of a processor something takes, without what a garbage collection in between adds."""

import time
from collections.abc import Callable

from tests.patience import patience


def is_quick(action: Callable[[], object], seconds: float) -> bool:
    """Whether one of three tries takes less than so many seconds of a quick machine; the first that does is the last.

    For what takes minutes if it is wrong, and a small part of `seconds` if it is right.
    """

    def quick() -> bool:
        began = time.thread_time()
        action()
        return time.thread_time() - began < patience(seconds)

    return any(quick() for _ in range(3))
