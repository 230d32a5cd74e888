"""Checks whether a process of the operating system is still running.

A process that has ended stays a zombie until its parent reads its exit code, which may never happen in a container. A
process whose first thread has ended is called a zombie too while other threads of it still run, and hold its locks.
"""

import contextlib

import psutil


def is_running(process: psutil.Process) -> bool:
    """Return whether any thread of a process is still running, and its pid has not been reused."""
    with contextlib.suppress(psutil.NoSuchProcess):
        return process.is_running() and (process.status() != psutil.STATUS_ZOMBIE or process.num_threads() > 1)
    return False


def find_running_process(pid: int) -> psutil.Process | None:
    with contextlib.suppress(psutil.NoSuchProcess):
        found = psutil.Process(pid)
        return found if is_running(found) else None
    return None
