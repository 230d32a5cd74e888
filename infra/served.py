"""A server on loopback that a command starts and another stops: where it listens, whether it answers.

`up.json` in its folder says which process it is. One of a copied checkout's is not this one's.
"""

import time
import urllib.error
import urllib.request
from collections.abc import Callable
from functools import partial
from pathlib import Path

from pydantic import ValidationError

from infra import ports
from infra.processes import Process, end
from tasks.core import files
from tasks.core.config import Frozen
from tasks.core.errors import Unavailable

SECONDS = 60
"""How long one may take to answer first."""


class Up(Frozen):
    """up.json"""

    origin: str
    """Where people reach it."""
    port: int
    """That it listens on, on loopback."""
    process: Process


def find(folder: Path) -> Up | None:
    """The server that is up and was started in this folder, or None."""
    path = folder / "up.json"
    if not path.exists():
        return None
    try:
        up = Up.model_validate_json(path.read_bytes())
    except ValidationError:  # cut off, or somebody's own
        return None
    return up if up.process.serves(folder) else None


def keep(folder: Path, up: Up) -> Up:
    """Write down that it is up."""
    files.write_bytes(folder / "up.json", up.model_dump_json(indent=2).encode())
    return up


def stop(folder: Path) -> bool:
    """Stop what was started in this folder; True where it was up."""
    up = find(folder)
    if up is not None:
        end(up.process)
    (folder / "up.json").unlink(missing_ok=True)
    return up is not None


def ready(
    process: Process,
    port: int,
    what: str,
    log: Path,
    seconds: float = SECONDS,
    answers: Callable[[], bool] | None = None,
) -> bool:
    """Wait until it answers; False where another process was faster to take the port. Raises Unavailable where it ends,
    or takes longer.

    That one may be another checkout's, so an answer counts only once the port is this process's own.
    """
    answers = answers or partial(_answers, port)
    deadline = time.monotonic() + seconds
    try:
        while time.monotonic() < deadline and process.alive():
            if ports.held_by(process.pid, port) and answers():
                return True
            time.sleep(0.1)
    except BaseException:  # whoever waited was interrupted, and nobody would know of it
        end(process)
        raise
    if process.alive():
        end(process)
    elif ports.free(port) is None:
        return False
    raise Unavailable(f"{what} does not answer; its log is {log}")


def _answers(port: int) -> bool:
    """Whether anything answers: which name it wants to be called by is its own affair."""
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/health", timeout=2):
            return True
    except urllib.error.HTTPError:
        return True
    except (urllib.error.URLError, OSError):
        return False
