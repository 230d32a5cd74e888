"""Whether a process runs."""

import os
import subprocess
import time

import psutil

from tasks.core.processes import find, runs


def test_one_that_ended_runs_no_more_though_nobody_asked_how() -> None:
    assert find(os.getpid()) == psutil.Process()
    with subprocess.Popen(["sleep", "600"]) as process:
        found = psutil.Process(process.pid)
        assert runs(found)
        process.kill()
        deadline = time.monotonic() + 60
        while found.status() != psutil.STATUS_ZOMBIE:
            assert time.monotonic() < deadline
            time.sleep(0.01)
        assert psutil.pid_exists(process.pid) and not runs(found) and find(process.pid) is None
    assert not runs(found) and find(process.pid) is None
