"""Whether a process runs."""

import os
import subprocess

import psutil

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
