"""Detection of the end of a raylet, Ray's process on each machine, that this process has started.

If a raylet does not answer for a while, the cluster declares it dead and it exits. It also exits if the machine runs
out of memory. Later calls of Ray then raise various errors, block forever, or terminate the process without a message.
"""

import os
import select
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress

import psutil

from tasks.core.errors import HallmarkError, InputError, Refused, Unavailable

RAYLET_PID_ENVIRONMENT = {"RAY_RAYLET_PID": str(os.getpid())}
"""Environment variable that keeps Ray from ending this process silently.

If the connection to the raylet breaks, Ray checks whether the process with this pid is still alive. If not, Ray ends
the current process without a message. By default Ray checks the parent process, but the parent of a sandbox's first
process always looks dead from inside the sandbox. The variable is therefore set to this process's own pid.
"""
RAYLET_ENDED_MESSAGE = (
    "Ray's process on this machine (raylet) has ended: it had too little memory, or did not answer the cluster in "
    "time. Run it again: what is finished is kept"
)
RAYLET_END_SECONDS = 5.0
"""Maximum wait in seconds for the raylet to end after an error, and for this process to end after the raylet."""


@contextmanager
def watch_raylet(is_own_raylet: bool) -> Iterator[None]:
    """Watch the raylet during the block. If the raylet has ended, errors of Ray are replaced with Unavailable.

    If the block does not end within RAYLET_END_SECONDS after the raylet, the process exits.

    Args:
        is_own_raylet: Whether this process started the raylet. Otherwise the raylet is not watched.

    Raises:
        Unavailable: The raylet has ended.
    """
    over = threading.Event()
    pids = list(raylet_pids()) if is_own_raylet else []
    for pid in pids:
        threading.Thread(target=_watch_process, args=(pid, over), daemon=True).start()
    try:
        yield
    except (InputError, Refused):
        raise
    except Exception as error:
        has_ended = pids and (raylet_ends_soon() if not isinstance(error, HallmarkError) else not raylet_pids())
        if not has_ended:
            raise
        raise Unavailable(f"{RAYLET_ENDED_MESSAGE} ({_first_line(error)})") from None
    finally:
        over.set()


def _watch_process(pid: int, block_ended: threading.Event) -> None:
    """Print a message when the raylet ends, and exit if this process does not end soon afterwards.

    Some calls of Ray end this process once the raylet has ended, and others never return.
    """
    try:
        ended = os.pidfd_open(pid)
    except (OSError, AttributeError):  # the process has ended already, or the system has no pidfd_open
        return
    watched = select.poll()
    watched.register(ended, select.POLLIN)
    while not watched.poll(500):
        if block_ended.is_set():
            os.close(ended)
            return
    os.close(ended)
    if not block_ended.is_set():
        with suppress(OSError):  # standard output may be closed
            print(RAYLET_ENDED_MESSAGE, flush=True)
        if not block_ended.wait(RAYLET_END_SECONDS):
            os._exit(Unavailable.exit_code)


def _first_line(error: Exception) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0][:300]


def raylet_ends_soon() -> bool:
    until = time.monotonic() + RAYLET_END_SECONDS
    while raylet_pids():
        if time.monotonic() > until:
            return False
        time.sleep(0.1)
    return True


def raylet_pids() -> set[int]:
    return {each.pid for each in psutil.Process().children(recursive=True) if _is_raylet(each)}


def _is_raylet(process: psutil.Process) -> bool:
    try:
        return process.name() == "raylet" and process.status() != psutil.STATUS_ZOMBIE
    except psutil.Error:  # the process has ended meanwhile
        return False
