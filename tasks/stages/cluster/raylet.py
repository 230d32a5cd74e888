"""The raylet that this process has started: its own Ray's, or the one by which it is a member of a cluster.

The cluster takes a raylet for dead that does not answer for a while, and the raylet then ends, as it does where the
machine has no memory left. Whatever asks Ray for something after that gets one of many errors, waits for ever, or is
ended by Ray without a word.
"""

import os
import select
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress

import psutil

from tasks.core.errors import HallmarkError, InputError, Refused, Unavailable

SAYS_WHY = {"RAY_RAYLET_PID": str(os.getpid())}
"""Where its connection to the raylet breaks, Ray ends this process without a word if the process of this number has
ended, or without a number its parent. A sandbox's first process looks like one that has. So our own number is given."""
WORDS = (
    "Ray's process on this machine (raylet) has ended: it had too little memory, or did not answer the cluster in "
    "time. Run it again: what is finished is kept"
)
END_SECONDS = 5.0
"""How long after the first error a raylet may still be about to end, and this process after its raylet."""


@contextmanager
def outlived(started: bool) -> Iterator[None]:
    """Raises Unavailable in place of whatever Ray says, where a raylet that this process `started` has ended. Where
    nothing comes to an end by that, this process does."""
    over = threading.Event()
    there = list(running()) if started else []
    for pid in there:
        threading.Thread(target=_watch, args=(pid, over), daemon=True).start()
    try:
        yield
    except (InputError, Refused):
        raise
    except Exception as error:
        gone = there and (ends() if not isinstance(error, HallmarkError) else not running())
        if not gone:
            raise
        raise Unavailable(f"{WORDS} ({_first_line(error)})") from None
    finally:
        over.set()


def _watch(pid: int, over: threading.Event) -> None:
    """Say at once that it has ended: some calls of Ray's then end this process, and others never come back."""
    try:
        ended = os.pidfd_open(pid)
    except (OSError, AttributeError):  # it has ended before, or the system cannot say
        return
    watched = select.poll()
    watched.register(ended, select.POLLIN)
    while not watched.poll(500):
        if over.is_set():
            os.close(ended)
            return
    os.close(ended)
    if not over.is_set():
        with suppress(OSError):  # nobody may listen
            print(WORDS, flush=True)
        if not over.wait(END_SECONDS):
            os._exit(Unavailable.exit_code)


def _first_line(error: Exception) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0][:300]


def ends() -> bool:
    """Whether it has ended, or does so soon."""
    until = time.monotonic() + END_SECONDS
    while running():
        if time.monotonic() > until:
            return False
        time.sleep(0.1)
    return True


def running() -> set[int]:
    """The processes below this one that are raylets."""
    return {each.pid for each in psutil.Process().children(recursive=True) if _is_a_raylet(each)}


def _is_a_raylet(process: psutil.Process) -> bool:
    try:
        return process.name() == "raylet" and process.status() != psutil.STATUS_ZOMBIE
    except psutil.Error:  # it has ended meanwhile
        return False
