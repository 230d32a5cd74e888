"""How much of a processor something takes, without what a garbage collection in between adds."""

import time
from collections.abc import Callable


def quickest(action: Callable[[], object]) -> float:
    """Seconds of the fastest of three tries."""

    def seconds() -> float:
        began = time.thread_time()
        action()
        return time.thread_time() - began

    return min(seconds() for _ in range(3))
