"""Server on loopback that one command starts and another stops.

`up.json` in the server's folder names its process. In a copy of the checkout, the file is ignored.
"""

import time
import urllib.error
import urllib.request
from collections.abc import Callable
from functools import partial
from pathlib import Path

from pydantic import ValidationError

from infra import ports
from infra.processes import Process, end_process
from tasks.core import files
from tasks.core.documents.config import FrozenModel
from tasks.core.errors import Unavailable

START_TIMEOUT_SECONDS = 60
"""Seconds in which a server must respond for the first time."""


class RunningServer(FrozenModel):
    """Content of up.json."""

    origin: str
    """URL for browsers: scheme, host and port."""
    port: int
    process: Process


def find(folder: Path) -> RunningServer | None:
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


def stop(folder: Path) -> bool:
    """Stop the server that was started in this folder, and return whether it was running."""
    up = find(folder)
    if up is not None:
        end_process(up.process)
    (folder / "up.json").unlink(missing_ok=True)
    return up is not None


def wait_until_ready(
    process: Process,
    port: int,
    what: str,
    log: Path,
    seconds: float = START_TIMEOUT_SECONDS,
    answers: Callable[[], bool] | None = None,
) -> bool:
    """Wait until the server responds. Return False if another process took the port first.

    The other process can be the server of another checkout, so a response counts only if `process` has the port.

    Raises:
        Unavailable: The process ended or does not respond in time.
    """
    answers = answers or partial(_responds, port)
    deadline = time.monotonic() + seconds
    try:
        while time.monotonic() < deadline and process.alive():
            if ports.listens(process.pid, port) and answers():
                return True
            time.sleep(0.1)
    except BaseException:  # an interrupted command must not leave a server that no up.json names
        end_process(process)
        raise
    if process.alive():
        end_process(process)
    elif ports.free_port(port) is None:
        return False
    raise Unavailable(f"{what} does not answer; its log is {log}")


def _responds(port: int) -> bool:
    """Return whether the server responds, even with an HTTP error, because it may expect another host name."""
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/health", timeout=2):
            return True
    except urllib.error.HTTPError:
        return True
    except (urllib.error.URLError, OSError):
        return False
