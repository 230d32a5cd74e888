"""Processes that outlive the command that starts them, and how they are ended."""

import contextlib
import subprocess
import sys
import time
from pathlib import Path

import psutil

from tasks.core import files
from tasks.core.config import Frozen
from tasks.core.processes import find, runs
from tasks.runs.environment import BYTECODE, isolated


class Process(Frozen):
    pid: int
    started: float
    """Creation time, so that a pid given to another process later is not mistaken for ours."""

    def alive(self) -> bool:
        found = find(self.pid)
        return found is not None and abs(found.create_time() - self.started) < 1

    def serves(self, folder: Path) -> bool:
        """Whether it is alive and was started in this folder: in a copied checkout its file names the original's."""
        try:
            return self.alive() and Path(psutil.Process(self.pid).cwd()).samefile(folder)
        except (psutil.Error, OSError):
            return False


def spawn(folder: Path, name: str, command: list[str], given: dict[str, str]) -> Process:
    """A process of its own session that outlives this command, started in `folder`, its output in `NAME.log` there.

    It runs what is installed, compiled from its sources: neither it nor the flow runs that it starts import what else
    lies in the checkout, nor bytecode that lies beside a source. It starts outside of what git brings: Prefect takes
    settings from the prefect.toml, pyproject.toml and .env of the folder that it is started in.
    """
    with (folder / f"{name}.log").open("ab") as log:
        process = subprocess.Popen(
            [sys.executable, "-I", "-X", f"pycache_prefix={BYTECODE}", *command],
            cwd=folder, env=isolated(given), umask=files.UMASK, start_new_session=True,
            stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT,
        )  # fmt: skip
    process.returncode = 0  # nobody waits for it, and Python need not warn that it runs
    return Process(pid=process.pid, started=psutil.Process(process.pid).create_time())


def end(process: Process) -> None:
    """End a process and its children, gently first. Another process that has its number since is left alone."""
    if not process.alive():
        return
    with contextlib.suppress(psutil.NoSuchProcess):
        parent = psutil.Process(process.pid)
        end_all([parent, *parent.children(recursive=True)])


def end_all(processes: list[psutil.Process]) -> None:
    for process in processes:
        with contextlib.suppress(psutil.NoSuchProcess):
            process.terminate()
    kill_late(processes, 15)


def kill_late(processes: list[psutil.Process], seconds: float) -> None:
    """Wait until they have ended, and kill those that have not by then. One whose parent is gone may stay a zombie."""
    until = time.monotonic() + seconds
    while (left := [each for each in processes if runs(each)]) and time.monotonic() < until:
        time.sleep(0.1)
    for process in left:
        with contextlib.suppress(psutil.NoSuchProcess):
            process.kill()
