"""The process of a sandbox, and its end: with whoever wanted the result, and asked for before it is forced."""

import contextlib
import os
import resource
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Mapping

import psutil

PATIENCE = 8.0
"""Seconds that a stage has to end by itself once it is asked to."""
LOOK_SECONDS = 1.0


def run(command: list[str], environment: Mapping[str, str], starter: int | None) -> int:
    """Exit code of the sandbox, which has that environment alone.

    The stage is asked to end by SIGTERM, SIGINT, and the end of process `starter`.
    """
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))  # a core dump would hold rows
    with subprocess.Popen(command, env=environment, stdin=subprocess.DEVNULL, start_new_session=True) as process:

        def stop() -> None:
            threading.Thread(target=_stop, args=(process,), daemon=True).start()

        for sign in (signal.SIGTERM, signal.SIGINT):
            signal.signal(sign, lambda *_: stop())
        if starter is not None:
            threading.Thread(target=_with, args=(starter, stop), daemon=True).start()
        return process.wait()


def _with(pid: int, stop: Callable[[], None]) -> None:
    while psutil.pid_exists(pid):
        time.sleep(LOOK_SECONDS)
    stop()


def _stop(process: "subprocess.Popen[bytes]") -> None:
    """The first process in a sandbox is bubblewrap's own; its child is the stage."""
    with contextlib.suppress(psutil.NoSuchProcess):
        outside = psutil.Process(process.pid)
        for first in outside.children():
            for stage in first.children():
                os.kill(stage.pid, signal.SIGTERM)
        psutil.wait_procs([outside], timeout=PATIENCE)
    process.kill()
