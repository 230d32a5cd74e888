"""Server on loopback that one command starts and another stops.

The process of the server is named in `up.json` in its folder. If the checkout is copied, the file in the copy is
ignored.
"""

import os
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from contextlib import AbstractContextManager
from functools import partial
from pathlib import Path

from pydantic import ValidationError

from infra import ports
from infra.logs.settings import FOREGROUND_VARIABLE
from infra.processes import GRACE_SECONDS, Process, end_process
from tasks.core import files
from tasks.core.documents.config import FrozenModel
from tasks.core.errors import Unavailable
from tasks.core.machine import locks

START_TIMEOUT_SECONDS = 60
"""Maximum time in seconds from the start of a server to its first response."""


class RunningServer(FrozenModel):
    """Content of up.json."""

    origin: str
    """URL for browsers: scheme, host and port."""
    port: int
    process: Process


def find_running_server(folder: Path) -> RunningServer | None:
    path = folder / "up.json"
    if not path.exists():
        return None
    try:
        up = RunningServer.model_validate_json(path.read_bytes())
    except ValidationError:  # incomplete, or not written by Hallmark
        return None
    return up if up.process.was_started_in(folder) else None


def write_state(folder: Path, up: RunningServer) -> RunningServer:
    files.write_bytes(folder / "up.json", up.model_dump_json(indent=2).encode())
    return up


def is_recorded(folder: Path) -> bool:
    """Return whether a server was started in this folder and not stopped. It may have ended since.

    If a command is stopping the server, this call waits until that command has finished.
    """
    with _hold_lock(folder):
        return (folder / "up.json").exists()


def stop_server(folder: Path, grace_seconds: float = GRACE_SECONDS) -> bool:
    """Stop the server that was started in this folder, and return whether it was running."""
    if not (folder / "up.json").exists():
        return False
    with _hold_lock(folder):
        up = find_running_server(folder)
        if up is not None:
            end_process(up.process, grace_seconds)
        (folder / "up.json").unlink(missing_ok=True)
        return up is not None


def _hold_lock(folder: Path) -> AbstractContextManager[None]:
    return locks.hold_exclusive_lock(folder / "up.lock", "another command starts or stops this server")


def wait_until_ready(
    process: Process,
    port: int,
    server_name: str,
    log_path: Path,
    seconds: float = START_TIMEOUT_SECONDS,
    responds: Callable[[], bool] | None = None,
) -> bool:
    """Wait until the server responds. Return False if another process took the port first.

    The other process can be the server of another checkout, so a response counts only if `process` has the port.

    Raises:
        Unavailable: The process ended or does not respond in time.
    """
    responds = responds or partial(_responds, port)
    deadline = time.monotonic() + seconds
    try:
        while time.monotonic() < deadline and process.is_alive():
            if ports.listens(process.pid, port) and responds():
                return True
            time.sleep(0.1)
    except BaseException:  # an interrupted command must not leave a server that no up.json names
        end_process(process)
        raise
    if process.is_alive():
        end_process(process)
    elif ports.free_port(port) is None:
        return False
    why = "the lines before say why" if FOREGROUND_VARIABLE in os.environ else f"its log is {log_path}"
    raise Unavailable(f"{server_name} does not answer; {why}")


def _responds(port: int) -> bool:
    """Return whether the server responds. An HTTP error counts too, because the server may expect another host name."""
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/health", timeout=2):
            return True
    except urllib.error.HTTPError:
        return True
    except (urllib.error.URLError, OSError):
        return False
