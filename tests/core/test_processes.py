"""Whether a process runs."""

import os
import subprocess
import sys
from pathlib import Path

import psutil

from tasks.core.machine import locks
from tasks.core.machine.processes import find_running_process, is_running
from tests.patience import wait_until


def test_one_that_ended_runs_no_more_though_nobody_asked_how() -> None:
    assert find_running_process(os.getpid()) == psutil.Process()
    with subprocess.Popen(["sleep", "600"]) as process:
        found = psutil.Process(process.pid)
        assert is_running(found)
        process.kill()
        wait_until(lambda: found.status() == psutil.STATUS_ZOMBIE, "the process to end")
        assert psutil.pid_exists(process.pid) and not is_running(found) and find_running_process(process.pid) is None
    assert not is_running(found) and find_running_process(process.pid) is None


ENDING_THREAD = """
import ctypes, fcntl, sys, threading, time
lock = open(sys.argv[1], "w")
fcntl.flock(lock, fcntl.LOCK_EX)
threading.Thread(target=time.sleep, args=(600,)).start()
ctypes.CDLL(None).pthread_exit(None)
"""


def test_one_whose_first_thread_has_ended_runs_as_long_as_another_thread_holds_its_locks(tmp_path: Path) -> None:
    lock = tmp_path / "lock"
    with subprocess.Popen([sys.executable, "-c", ENDING_THREAD, lock]) as process:
        try:
            found = psutil.Process(process.pid)
            wait_until(lambda: found.status() == psutil.STATUS_ZOMBIE, "the first thread to end")
            assert is_running(found) and locks.is_held(lock)
        finally:
            process.kill()
        wait_until(lambda: not is_running(found), "every thread to end")
        assert not locks.is_held(lock)
