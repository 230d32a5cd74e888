"""End of Prefect runners and of their flow runs, including flow runs of runners that have died."""

import contextlib
import os
import time
from collections.abc import Collection, Sequence
from pathlib import Path

import psutil

from infra.processes import Process, wait_then_kill
from tasks.core.machine.processes import find_running_process, is_running
from tasks.runs.outputs import dvc

SUSPENSION_SECONDS = 5.0
"""Maximum time in seconds to wait until suspended processes have stopped."""


def end_runners(runners: Sequence[Process], folder: Path) -> bool:
    """Kill runners and their flow runs, and end the processes of their stages with SIGTERM.

    If a runner received SIGTERM, it and its flow runs would report the runs as cancelled or crashed, and such runs do
    not continue. Flow runs that are killed become orphans, which the next runner resumes. This function waits until
    they have ended, because they hold the locks of their runs until then.

    A new process holds its parent's lock until it executes its own program. So runners and flow runs are stopped before
    their children are listed, and none of them can start another child in between.

    Each stage is in a separate session. Its supervisor ends the stage, and the stage ends its workers. A training stage
    first writes a checkpoint.

    Args:
        runners: Runners, which may have died.
        folder: Folder in which they were started.

    Returns:
        Whether any process was running.
    """
    alive = [found for each in runners if each.was_started_in(folder) and (found := find_running_process(each.pid))]
    _suspend(alive)
    flow_runs = _flow_runs(runners, alive, folder)
    _suspend(flow_runs)
    others, told = [], {process.pid for process in runners}
    for each in flow_runs:
        with contextlib.suppress(psutil.NoSuchProcess):
            told |= {child.pid for child in each.children()}
            others += each.children(recursive=True)
    for running in (*alive, *flow_runs):
        with contextlib.suppress(psutil.NoSuchProcess):
            running.kill()
    for running in others:
        with contextlib.suppress(psutil.NoSuchProcess, ProcessLookupError):
            if os.getsid(running.pid) in told:
                running.terminate()
    wait_then_kill([*alive, *flow_runs, *others], dvc.TERMINATION_SECONDS)
    return bool(alive or flow_runs)


def _flow_runs(runners: Sequence[Process], alive: list[psutil.Process], folder: Path) -> list[psutil.Process]:
    """Return the processes that the runners started themselves, including those of runners that have died.

    Flow runs stay in the session of their runner. Its number is not used again while one of them is running.
    """
    found = set()
    for each in alive:
        with contextlib.suppress(psutil.NoSuchProcess):
            found |= set(each.children())
    dead = {each.pid for each in runners if each.is_of_this_boot() and find_running_process(each.pid) is None}
    left = {each: parent for each in psutil.process_iter() if (parent := _parent_if_left(each, dead, folder))}
    pids = {each.pid for each in left}
    return [*found, *(each for each, parent in left.items() if parent not in pids)]


def _parent_if_left(process: psutil.Process, sessions: Collection[int], folder: Path) -> int:
    """Return the pid of the parent of a process of these sessions that was started in `folder`, 0 for any other."""
    with contextlib.suppress(psutil.Error, OSError):
        if os.getsid(process.pid) in sessions and Path(process.cwd()).samefile(folder):
            return process.ppid()
    return 0


def _suspend(processes: list[psutil.Process]) -> None:
    """Suspend processes, and wait until they are suspended, because they may be starting a child at that moment."""
    for process in processes:
        with contextlib.suppress(psutil.NoSuchProcess):
            process.suspend()
    until = time.monotonic() + SUSPENSION_SECONDS
    while not all(map(_is_stopped, processes)) and time.monotonic() < until:
        time.sleep(0.01)


def _is_stopped(process: psutil.Process) -> bool:
    with contextlib.suppress(psutil.NoSuchProcess):
        return not is_running(process) or process.status() == psutil.STATUS_STOPPED
    return True
