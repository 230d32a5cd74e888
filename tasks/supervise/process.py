"""Process of a stage. It is asked to end, and later killed, if the process that waits for its result has ended."""

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
from tasks.core.machine.processes import find_running_process
from tasks.supervise import network

TERMINATION_SECONDS = 25.0
"""Time in seconds after which a stage that was asked to end is killed. A training run saves a checkpoint in this time
(`stages/train/machines/sigterm.py`). DVC and the supervisor have more time (`outputs/dvc.py`)."""
POLL_SECONDS = 1.0
SET_CHILD_SUBREAPER = 36
"""Number of the prctl(2) option PR_SET_CHILD_SUBREAPER. With it, a descendant whose parent ends becomes a child of this
process."""


@dataclass(frozen=True)
class InheritedResources:
    descriptors: tuple[int, ...] = ()
    variables: Mapping[str, str] = field(default_factory=dict)


class StopRequest:
    """Flag that is set once a stage has been asked to end.

    A signal handler can set the flag even while another signal handler is setting it. `threading.Event` would deadlock
    in this case.
    """

    def __init__(self) -> None:
        self._queue = SimpleQueue[None]()
        self._is_set = False

    def set(self) -> None:
        self._is_set = True
        self._queue.put(None)

    def wait(self) -> None:
        self._queue.get()

    def is_set(self) -> bool:
        return self._is_set


def run_process(
    command: list[str],
    environment: Mapping[str, str],
    waiting_pid: int | None,
    is_sandboxed: bool = True,
    limit_check: Callable[[], str | None] = lambda: None,
    descriptors: tuple[int, ...] = (),
    ports: Collection[int] | None = None,
) -> int:
    """Run a stage or the sandbox around it, wait until all of its processes have ended, and return its exit code.

    The stage is asked to end if this process gets SIGTERM or SIGINT, or if process `waiting_pid` ends. It then counts
    as failed, whatever its own exit code is.

    Args:
        command: Command of the stage or of its sandbox.
        environment: Complete environment of the command.
        waiting_pid: Id of the process that waits for the result; None if there is none.
        is_sandboxed: Whether the command is a sandbox around the stage.
        limit_check: Function that is called once a second. It returns a reason if the stage must end immediately, else
            None.
        descriptors: File descriptors that the command inherits in addition to its standard streams.
        ports: TCP ports to which the stage can connect (`network.py`); None for all.

    Raises:
        Unavailable: The stage was ended for the reason that `limit_check` returned.
    """
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))  # a core dump would hold rows of sources
    if sys.platform == "linux":
        ctypes.CDLL(None, use_errno=True).prctl(SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    asked, end_reasons = StopRequest(), list[str]()
    for sign in (signal.SIGTERM, signal.SIGINT):
        signal.signal(sign, lambda *_: asked.set())

    def start() -> "subprocess.Popen[bytes]":
        quiet = subprocess.DEVNULL
        return subprocess.Popen(command, env=environment, stdin=quiet, start_new_session=True, pass_fds=descriptors)

    with _start_in_thread(start, ports) as process:
        threading.Thread(target=_stop_when_asked, args=(asked, process, is_sandboxed), daemon=True).start()
        if waiting_pid is not None:
            threading.Thread(target=_stop_when_process_ends, args=(waiting_pid, asked), daemon=True).start()
        threading.Thread(target=_enforce_limits, args=(limit_check, end_reasons, process), daemon=True).start()
        code = process.wait()
    _kill_children()
    if end_reasons:
        raise Unavailable(f"it was ended, since {end_reasons[0]}")
    return 128 + signal.SIGTERM if asked.is_set() else code


@contextmanager
def _start_in_thread(
    start: "Callable[[], subprocess.Popen[bytes]]", ports: Collection[int] | None
) -> "Iterator[subprocess.Popen[bytes]]":
    """Start a process from a separate thread, which first restricts the ports for itself and thus for the process.

    The thread lives as long as the process, because a sandbox ends with the thread that started it
    (`--die-with-parent`).
    """
    with ThreadPoolExecutor(1) as own:
        if ports is not None:
            own.submit(network.restrict_connections, ports).result()
        with own.submit(start).result() as process:
            yield process


def _kill_children() -> None:
    """Kill all remaining child processes and wait for them.

    A stage can write to the memory of the first process in its sandbox, and thereby keep it alive. The first process
    has then become a child of this process. When it is killed, the kernel ends all processes in the sandbox.
    """
    while children := psutil.Process().children():
        for child in children:
            with contextlib.suppress(psutil.NoSuchProcess, ChildProcessError):
                child.kill()
                os.waitpid(child.pid, 0)


def _enforce_limits(
    limit_check: Callable[[], str | None], end_reasons: list[str], process: "subprocess.Popen[bytes]"
) -> None:
    while process.poll() is None:
        if why := limit_check():
            end_reasons.append(why)
            process.kill()
            return
        time.sleep(POLL_SECONDS)


def _stop_when_process_ends(pid: int, stop_request: StopRequest) -> None:
    while find_running_process(pid):
        time.sleep(POLL_SECONDS)
    stop_request.set()


def _stop_when_asked(stop_request: StopRequest, process: "subprocess.Popen[bytes]", is_sandboxed: bool) -> None:
    """Wait until the stage is asked to end, send it SIGTERM, and kill it after TERMINATION_SECONDS.

    SIGTERM must reach the stage itself. In a sandbox, the first process is bubblewrap's own, and the stage is a child
    of that process that may not have started yet.
    """
    stop_request.wait()
    until, is_sent = time.monotonic() + TERMINATION_SECONDS, False
    while process.poll() is None and time.monotonic() < until:
        is_sent = is_sent or _send_sigterm(process.pid, is_sandboxed)
        time.sleep(0.05)
    process.kill()


def _send_sigterm(pid: int, is_sandboxed: bool) -> bool:
    with contextlib.suppress(psutil.NoSuchProcess, ProcessLookupError):
        started = psutil.Process(pid)
        stages = [stage for first in started.children() for stage in first.children()] if is_sandboxed else [started]
        for stage in stages:
            os.kill(stage.pid, signal.SIGTERM)
        return bool(stages)
    return False
