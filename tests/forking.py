"""Fork server: processes that start at once, since they are forked from one that has imported their modules.

A new Python takes up to three CPU seconds to import the command line or MLflow. The fork server imports the modules
once, and a test's processes are forked from it; each has its own memory, connections, limits and end.

    python -m tests.forking CHANNEL CODE MODULE...

starts the server, which runs CODE before it imports the modules. Requests arrive over a socket, together with file
descriptors for the new process's input, output and errors.
"""

import contextlib
import importlib
import json
import os
import signal
import socket
import subprocess
import sys
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any, NoReturn

ROOT = Path(__file__).parents[1]
FOR_PROMOTION = ("tests.registry.mlflow_once", "tasks.registry.promote.promotion", "model_signing")
"""Modules that a promotion imports."""
MOST = 2**20
"""Maximum number of bytes in a request, which has code, arguments and environment."""


class Forked:
    """Forked process with the interface of `subprocess.Popen` with text pipes."""

    returncode: int
    """Exit code, set by `communicate`."""

    def __init__(self, stdin: int, stdout: int, stderr: int, told: int) -> None:
        self.stdin: IO[str] = os.fdopen(stdin, "w")
        self.stdout: IO[str] = os.fdopen(stdout)
        self.stderr: IO[str] = os.fdopen(stderr)
        self._told = os.fdopen(told)
        self.pid = int(self._told.readline())

    def send_signal(self, number: int) -> None:
        os.kill(self.pid, number)

    def communicate(self) -> tuple[str, str]:
        """Wait for the end of the process, and return the rest of its output and errors.

        The errors must fit into a pipe.
        """
        with contextlib.suppress(BrokenPipeError):
            self.stdin.close()
        printed = self.stdout.read(), self.stderr.read()
        self.returncode = int(self._told.readline())
        for file in (self.stdout, self.stderr, self._told):
            file.close()
        return printed


class Forking:
    def __init__(self, channel: socket.socket) -> None:
        self._channel = channel

    def start(self, code: str, *args: object, cwd: Path = ROOT) -> Forked:
        """Start a process like `python -c CODE ARGS`, with the current environment."""
        asked = {"code": code, "args": list(map(str, args)), "cwd": str(cwd), "environment": dict(os.environ)}
        (theirs_in, ours_in), *others = (os.pipe() for _ in range(4))
        theirs = [theirs_in, *(write for _, write in others)]
        socket.send_fds(self._channel, [json.dumps(asked).encode()], theirs)
        for handle in theirs:
            os.close(handle)
        return Forked(ours_in, *(read for read, _ in others))

    def run(self, code: str, *args: object, cwd: Path = ROOT) -> "subprocess.CompletedProcess[str]":
        process = self.start(code, *args, cwd=cwd)
        printed, errors = process.communicate()
        return subprocess.CompletedProcess(["-c", *map(str, args)], process.returncode, printed, errors)


@contextmanager
def importing(*modules: str, before: str = "", python: Path | None = None) -> Iterator[Forking]:
    """Run a fork server whose processes have imported `modules`.

    Args:
        modules: Names of modules, imported from this checkout, or as they are installed for `python`.
        before: Code that runs before the imports.
        python: Interpreter of another environment; None for this one.
    """
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    this = [sys.executable, "-m", __name__] if python is None else [python, "-I", __file__]
    command = [*this, str(theirs.fileno()), before, *modules]
    # The fork server belongs to no single test: its CPU time is charged to the file that its pytest worker is running.
    environment = {name: value for name, value in os.environ.items() if name != "PYTEST_CURRENT_TEST"}
    with ours, subprocess.Popen(command, cwd=ROOT, env=environment, pass_fds=[theirs.fileno()]):
        theirs.close()
        try:
            yield Forking(ours)
        finally:
            ours.close()  # ends the server, for which Popen waits


def _serve(channel: socket.socket) -> None:
    while True:
        data, handles, _, _ = socket.recv_fds(channel, MOST, 4)
        if not data:
            return
        if not os.fork():
            channel.close()
            _watch(json.loads(data), *handles)
        for handle in handles:
            os.close(handle)
        with contextlib.suppress(ChildProcessError):
            while os.waitpid(-1, os.WNOHANG)[0]:
                pass


def _watch(asked: dict[str, Any], stdin: int, stdout: int, stderr: int, told: int) -> NoReturn:
    """Fork the process, and report its pid and later its exit code."""
    pid = os.fork()
    if not pid:
        os.close(told)
        _become(asked, stdin, stdout, stderr)
    for handle in (stdin, stdout, stderr):
        os.close(handle)
    os.write(told, b"%d\n" % pid)
    os.write(told, b"%d\n" % os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
    os._exit(0)


def _become(asked: dict[str, Any], *files: int) -> NoReturn:
    code = 1
    try:
        for number, handle in enumerate(files):
            os.dup2(handle, number)
            os.close(handle)
        os.chdir(asked["cwd"])
        os.environ.clear()
        os.environ.update(asked["environment"])
        sys.argv = ["-c", *asked["args"]]
        exec(compile(asked["code"], "<forked>", "exec"), {"__name__": "__main__"})
        code = 0
    except SystemExit as error:
        code = error.code if isinstance(error.code, int) else 0 if error.code is None else 1
        if isinstance(error.code, str):
            print(error.code, file=sys.stderr)
    except BaseException:
        traceback.print_exc()
    finally:
        with contextlib.suppress(OSError):
            sys.stdout.flush()
            sys.stderr.flush()
        os._exit(code)


if __name__ == "__main__":
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the process that started the server ends it
    exec(compile(sys.argv[2], "<before>", "exec"))
    for name in sys.argv[3:]:
        importlib.import_module(name)
    _serve(socket.socket(fileno=int(sys.argv[1])))
    with contextlib.suppress(ChildProcessError):
        while os.waitpid(-1, 0):
            pass
