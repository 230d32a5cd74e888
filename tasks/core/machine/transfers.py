"""Commands that transfer data from or to another machine, which may fall silent without closing the connection."""

import subprocess
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path

import psutil

from tasks.core.errors import Unavailable

STALL_SECONDS = 300.0


def run_transfer(
    what: str, command: Sequence[str], cwd: Path, env: Mapping[str, str]
) -> "subprocess.CompletedProcess[bytes]":
    """Run a command without input, and kill it if neither it nor a process that it started reads or writes anything.

    Args:
        what: Name of the command, for error messages.
        command: Command with its arguments.
        cwd: Folder to run it in.
        env: Environment of the command.

    Raises:
        Unavailable: Nothing was read or written for STALL_SECONDS. The command and its processes were killed.
        FileNotFoundError: There is no such command.
    """
    with subprocess.Popen(
        command, cwd=cwd, env=env, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as process:
        try:
            return _wait_while_moving(process, what)
        except BaseException:
            for each in _family(process.pid):
                with suppress(psutil.Error):
                    each.kill()
            raise


def _wait_while_moving(process: "subprocess.Popen[bytes]", what: str) -> "subprocess.CompletedProcess[bytes]":
    before: dict[int, int] | None = None
    while True:
        try:
            out, err = process.communicate(timeout=STALL_SECONDS)
            return subprocess.CompletedProcess(process.args, process.returncode, out, err)
        except subprocess.TimeoutExpired:
            now = _bytes_moved(process.pid)
        if now == before:
            raise Unavailable(
                f"{what} has read and written nothing for {STALL_SECONDS:g} s: the other side does not answer, or a "
                "file there is a pipe; look at it and try again"
            )
        before = now


def _bytes_moved(pid: int) -> dict[int, int]:
    moved = {}
    for each in _family(pid):
        with suppress(psutil.Error):
            counters = each.io_counters()
            moved[each.pid] = counters.read_chars + counters.write_chars
    return moved


def _family(pid: int) -> list[psutil.Process]:
    with suppress(psutil.Error):
        leader = psutil.Process(pid)
        return [leader, *leader.children(recursive=True)]
    return []
