"""Commands that transfer data from or to another machine.

A command is killed if it stalls, because the other machine can stop sending without closing the connection.
"""

import subprocess
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path

import psutil

from tasks.core.errors import Unavailable

STALL_SECONDS = 300.0


def run_transfer(
    command_name: str, command: Sequence[str], cwd: Path, env: Mapping[str, str]
) -> "subprocess.CompletedProcess[bytes]":
    """Run a command without input, and kill it if it stalls.

    The command has stalled if neither it nor its child processes read or write anything for STALL_SECONDS.

    Args:
        command_name: Name of the command, used in error messages.
        command: Command with its arguments.
        cwd: Folder to run the command in.
        env: Environment of the command.

    Raises:
        Unavailable: The command stalled. It was killed together with its child processes.
        FileNotFoundError: The command does not exist.
    """
    with subprocess.Popen(
        command, cwd=cwd, env=env, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as process:
        try:
            return _wait_unless_stalled(process, command_name)
        except BaseException:
            for each in _process_tree(process.pid):
                with suppress(psutil.Error):
                    each.kill()
            raise


def _wait_unless_stalled(process: "subprocess.Popen[bytes]", command_name: str) -> "subprocess.CompletedProcess[bytes]":
    before: dict[int, int] | None = None
    while True:
        try:
            out, err = process.communicate(timeout=STALL_SECONDS)
            return subprocess.CompletedProcess(process.args, process.returncode, out, err)
        except subprocess.TimeoutExpired:
            now = _bytes_transferred(process.pid)
        if now == before:
            raise Unavailable(
                f"{command_name} has read and written nothing for {STALL_SECONDS:g} s: "
                "the other side does not answer, or a "
                "file there is a pipe; look at it and try again"
            )
        before = now


def _bytes_transferred(pid: int) -> dict[int, int]:
    moved = {}
    for each in _process_tree(pid):
        with suppress(psutil.Error):
            counters = each.io_counters()
            moved[each.pid] = counters.read_chars + counters.write_chars
    return moved


def _process_tree(pid: int) -> list[psutil.Process]:
    with suppress(psutil.Error):
        leader = psutil.Process(pid)
        return [leader, *leader.children(recursive=True)]
    return []
