"""Start and end of processes that outlive the command which starts them."""

import contextlib
import math
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import IO

import psutil

from infra.logs import rotation
from infra.logs.settings import FOREGROUND_VARIABLE, process_variables
from tasks.core import files
from tasks.core.documents.config import FrozenModel
from tasks.core.machine.processes import find_running_process, is_running
from tasks.runs.environment import BYTECODE_FOLDER, isolated_environment

GRACE_SECONDS = 15.0
"""Seconds that a process has to end by itself after SIGTERM."""
MAX_START_DIFFERENCE = 1.0
"""Maximum difference in seconds between a process's recorded start and that of the process with its pid."""


BOOT_ID_FILE = Path("/proc/sys/kernel/random/boot_id")


class Process(FrozenModel):
    pid: int
    started: float
    """Start of the process in seconds after boot. Setting the clock does not change it. It distinguishes this process
    from a later one with the same pid. Files of earlier versions have seconds since 1970."""
    boot: str = ""
    """Id of the boot in which the process was started; empty in files of earlier versions and where there is no id."""

    @classmethod
    def from_pid(cls, pid: int) -> "Process":
        return cls(pid=pid, started=_start_after_boot(psutil.Process(pid)), boot=_boot_id())

    def is_of_this_boot(self) -> bool:
        """Return whether the machine has not been booted since; True if the file names no boot."""
        return self.boot in ("", _boot_id())

    def is_alive(self) -> bool:
        found = find_running_process(self.pid)
        if found is None or not self.is_of_this_boot():
            return False
        starts = _start_after_boot(found), found.create_time()
        return any(abs(start - self.started) < MAX_START_DIFFERENCE for start in starts)

    def age_seconds(self) -> float:
        """Return the seconds since the start of the process, also if it ended; infinity if it is of another boot."""
        return time.clock_gettime(time.CLOCK_BOOTTIME) - self.started if self.boot == _boot_id() else math.inf

    def was_started_in(self, folder: Path) -> bool:
        """Return whether the process is alive and was started in this folder.

        The folder is compared because a copy of a checkout contains files that name processes of the original.
        """
        try:
            return self.is_alive() and Path(psutil.Process(self.pid).cwd()).samefile(folder)
        except (psutil.Error, OSError):
            return False


def _boot_id() -> str:
    return BOOT_ID_FILE.read_text().strip() if BOOT_ID_FILE.exists() else ""


def _start_after_boot(process: psutil.Process) -> float:
    return process.create_time() - psutil.boot_time()


HALLMARK_PROCESS = ("-m", "hallmark.process")
"""Python arguments that start one of Hallmark's own modules. They are followed by the name and arguments of the
module."""


def isolated_python(*words: str) -> list[str]:
    """Return a command line of Python, which then imports only installed packages, compiled from their sources."""
    return [sys.executable, "-I", "-X", f"pycache_prefix={BYTECODE_FOLDER}", *words]


def spawn_process(folder: Path, name: str, command: list[str], environment: dict[str, str]) -> Process:
    """Start a process that outlives this command, in a separate session.

    It is started in `folder`, and its output is written to `NAME.log` there. If `hallmark up --foreground` starts it,
    the output goes to standard error instead. The folder must not contain files from git, because Prefect reads
    settings from prefect.toml, pyproject.toml and .env in the current folder. The process and the flow runs that it
    starts import only installed code, compiled from its sources. They import neither other modules of the checkout nor
    bytecode files next to a source file.
    """
    path = None if FOREGROUND_VARIABLE in environment else folder / f"{name}.log"
    with _open_output(path) as output:
        process = subprocess.Popen(
            isolated_python(*command),
            cwd=folder, env=isolated_environment(process_variables(name, path, environment)), umask=files.STATE_UMASK,
            start_new_session=True, stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT,
        )  # fmt: skip
    process.returncode = 0  # prevents Python's warning that the process still runs
    return Process.from_pid(process.pid)


def _open_output(path: Path | None) -> IO[bytes]:
    if path is None:
        return os.fdopen(os.dup(rotation.STDERR), "wb")
    rotation.rotate_if_full(path)
    return path.open("ab")


def end_process(process: Process, grace_seconds: float = GRACE_SECONDS) -> None:
    """End a process and its descendants with SIGTERM, and with SIGKILL if they still run after `grace_seconds`.

    A later process with the same pid is not affected.
    """
    if not process.is_alive():
        return
    with contextlib.suppress(psutil.NoSuchProcess):
        parent = psutil.Process(process.pid)
        end_processes([parent, *parent.children(recursive=True)], grace_seconds)


def end_processes(processes: list[psutil.Process], grace_seconds: float = GRACE_SECONDS) -> None:
    for process in processes:
        with contextlib.suppress(psutil.NoSuchProcess):
            process.terminate()
    wait_then_kill(processes, grace_seconds)


def wait_then_kill(processes: list[psutil.Process], seconds: float) -> None:
    """Wait until the processes have ended, and kill the remaining ones after `seconds`.

    A process whose parent has ended can remain as a zombie, which counts as ended.
    """
    until = time.monotonic() + seconds
    while (remaining := [each for each in processes if is_running(each)]) and time.monotonic() < until:
        time.sleep(0.1)
    for process in remaining:
        with contextlib.suppress(psutil.NoSuchProcess):
            process.kill()
