"""Process of a stage, which is asked to end, and then killed, if the process that started it ends."""

import contextlib
import ctypes
import os
import resource
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Collection, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from queue import SimpleQueue

import psutil

from tasks.core.errors import Unavailable
from tasks.core.machine.processes import find
from tasks.supervise import network

STOP_SECONDS = 25.0
"""Time in seconds between the request to end and the kill of a stage. A training run saves a checkpoint in this time
(`stages/train/machines/sigterm.py`). DVC and the supervisor have more time (`outputs/dvc.py`)."""
POLL_SECONDS = 1.0
SET_CHILD_SUBREAPER = 36
"""PR_SET_CHILD_SUBREAPER of prctl(2): a descendant whose parent ends becomes a child of this process."""


@dataclass(frozen=True)
class Inherited:
    handles: tuple[int, ...] = ()
    variables: Mapping[str, str] = field(default_factory=dict)


class StopRequest:
    """Flag that a stage was asked to end.

    A signal handler can set it, even while another signal handler is setting it. `threading.Event` would deadlock in
    this case.
    """

    def __init__(self) -> None:
        self._queue = SimpleQueue[None]()
        self._is_asked = False

    def set(self) -> None:
        self._is_asked = True
        self._queue.put(None)

    def wait(self) -> None:
        self._queue.get()

    def is_set(self) -> bool:
        return self._is_asked


def run(
    command: list[str],
    environment: Mapping[str, str],
    starter: int | None,
    boxed: bool = True,
    over: Callable[[], str | None] = lambda: None,
    handles: tuple[int, ...] = (),
    ports: Collection[int] | None = None,
) -> int:
    """Run a stage, or the sandbox around it, until all of its processes have ended, and return its exit code.

    The stage is asked to end if this process gets SIGTERM or SIGINT, or if process `starter` ends. It then counts as
    failed, whatever its own exit code is.

    Args:
        command: Command of the stage or of its sandbox.
        environment: Complete environment of the command.
        starter: Id of the process that waits for the result; None if there is none.
        boxed: Whether the command is a sandbox around the stage.
        over: Function that is called once a second. It returns a reason if the stage must end immediately, else None.
        handles: File descriptors that the command inherits in addition to its standard streams.
        ports: TCP ports to which the stage can connect (`network.py`); None for all.

    Raises:
        Unavailable: The stage was ended for the reason that `over` returned.
    """
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))  # a core dump would hold rows of sources
    if sys.platform == "linux":
        ctypes.CDLL(None, use_errno=True).prctl(SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    asked, end_reasons = StopRequest(), list[str]()
    for sign in (signal.SIGTERM, signal.SIGINT):
        signal.signal(sign, lambda *_: asked.set())

    def start() -> "subprocess.Popen[bytes]":
        quiet = subprocess.DEVNULL
        return subprocess.Popen(command, env=environment, stdin=quiet, start_new_session=True, pass_fds=handles)

    with _started(start, ports) as process:
        threading.Thread(target=_stop, args=(asked, process, boxed), daemon=True).start()
        if starter is not None:
            threading.Thread(target=_stop_after, args=(starter, asked), daemon=True).start()
        threading.Thread(target=_enforce_limits, args=(over, end_reasons, process), daemon=True).start()
        code = process.wait()
    _kill_children()
    if end_reasons:
        raise Unavailable(f"it was ended, since {end_reasons[0]}")
    return 128 + signal.SIGTERM if asked.is_set() else code


@contextmanager
def _started(
    start: "Callable[[], subprocess.Popen[bytes]]", ports: Collection[int] | None
) -> "Iterator[subprocess.Popen[bytes]]":
    """Start a process from a separate thread that restricts its own ports, and thereby those of the process.

    The thread lives as long as the process, because a sandbox ends with the thread that started it
    (`--die-with-parent`).
    """
    with ThreadPoolExecutor(1) as own:
        if ports is not None:
            own.submit(network.confine, ports).result()
        with own.submit(start).result() as process:
            yield process


def _kill_children() -> None:
    """Kill all remaining child processes and wait for them.

    Other processes in a sandbox can keep its first process alive, because they can write to its memory. That process
    has then become a child of this process. When it is killed, the kernel ends all processes in the sandbox.
    """
    while children := psutil.Process().children():
        for child in children:
            with contextlib.suppress(psutil.NoSuchProcess, ChildProcessError):
                child.kill()
                os.waitpid(child.pid, 0)


def _enforce_limits(over: Callable[[], str | None], end_reasons: list[str], process: "subprocess.Popen[bytes]") -> None:
    while process.poll() is None:
        if why := over():
            end_reasons.append(why)
            process.kill()
            return
        time.sleep(POLL_SECONDS)


def _stop_after(pid: int, asked: StopRequest) -> None:
    while find(pid):
        time.sleep(POLL_SECONDS)
    asked.set()


def _stop(asked: StopRequest, process: "subprocess.Popen[bytes]", boxed: bool) -> None:
    """Send SIGTERM to the stage once it is asked to end, and kill it after a time limit.

    The first process in a sandbox is bubblewrap's own. The stage is a child of that process and may not have started
    yet.
    """
    asked.wait()
    until, is_sent = time.monotonic() + STOP_SECONDS, False
    while process.poll() is None and time.monotonic() < until:
        is_sent = is_sent or _send_stop(process.pid, boxed)
        time.sleep(0.05)
    process.kill()


def _send_stop(pid: int, boxed: bool) -> bool:
    with contextlib.suppress(psutil.NoSuchProcess, ProcessLookupError):
        started = psutil.Process(pid)
        stages = [stage for first in started.children() for stage in first.children()] if boxed else [started]
        for stage in stages:
            os.kill(stage.pid, signal.SIGTERM)
        return bool(stages)
    return False
