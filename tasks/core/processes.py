"""Processes of the system: whether one still runs.

One that has ended stays a zombie until its parent asks for its exit code, which in a container may be for ever.
"""

import contextlib

import psutil


def runs(process: psutil.Process) -> bool:
    """Whether it has not ended. A pid that another process has since is not this one."""
    with contextlib.suppress(psutil.NoSuchProcess):
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    return False


def find(pid: int) -> psutil.Process | None:
    """The process that has this pid now, if one runs."""
    with contextlib.suppress(psutil.NoSuchProcess):
        found = psutil.Process(pid)
        return found if runs(found) else None
    return None
