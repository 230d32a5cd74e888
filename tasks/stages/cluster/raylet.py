"""The raylet that this process has started: its own Ray's, or the one by which it is a member of a cluster.

The cluster takes a raylet for dead that does not answer for a while, and the raylet then ends, as it does where the
machine has no memory left. Whatever asks Ray for something after that gets one of many errors.
"""

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager

import psutil

from tasks.core.errors import HallmarkError, Unavailable

SAYS_WHY = {"RAY_RAYLET_PID": str(os.getpid())}
"""Where its connection to the raylet breaks, Ray ends this process without a word if the process of this number has
ended, or without a number its parent. A sandbox's first process looks like one that has: so it is given ourselves."""
END_SECONDS = 5.0
"""How long after the first error a raylet may still be about to end."""


@contextmanager
def outlived(started: bool) -> Iterator[None]:
    """Raises Unavailable in place of whatever Ray says, where a raylet that this process `started` has ended."""
    try:
        yield
    except HallmarkError:
        raise
    except Exception as error:
        if not (started and ends()):
            raise
        said = (str(error).strip().splitlines() or [type(error).__name__])[0]
        raise Unavailable(
            f"Ray's process on this machine (raylet) has ended: {said[:300]}; it had too little memory, or did not "
            "answer the cluster in time. Run it again: what is finished is kept"
        ) from None


def ends() -> bool:
    """Whether it has ended, or does so soon."""
    until = time.monotonic() + END_SECONDS
    while runs():
        if time.monotonic() > until:
            return False
        time.sleep(0.1)
    return True


def runs() -> bool:
    below = psutil.Process().children(recursive=True)
    return any(each.name() == "raylet" and each.status() != psutil.STATUS_ZOMBIE for each in below)
