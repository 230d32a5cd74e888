"""Start, lookup and stop of the gateway of a checkout. Its files are in .hallmark/gateway/."""

import os
from collections.abc import Callable
from pathlib import Path

from infra import local_server, ports
from infra.local_server import RunningServer
from infra.logs.settings import log_format
from infra.processes import HALLMARK_PROCESS, Process, spawn_process
from tasks.core import files
from tasks.core.documents.config import FrozenModel
from tasks.core.errors import HallmarkError, InputError, Refused, Unavailable
from tasks.core.machine import locks

DEFAULT_PORT = 4230
PORT_VARIABLE = "HALLMARK_GATEWAY_PORT"
"""Environment variable with the port to try first."""
LOAD_TIMEOUT_SECONDS = 900.0
"""Maximum time in seconds to verify and load a release."""
ANSWER_SECONDS = 60.0
"""Maximum time in seconds to answer the accepted requests when the gateway is stopped."""
FAILURE_FILE = "failure.json"
"""File in which the gateway's process leaves the error because of which it serves nothing."""
ERRORS: dict[str, type[HallmarkError]] = {error.__name__: error for error in (InputError, Refused, Unavailable)}


class Failure(FrozenModel):
    """Contents of the failure file."""

    error: str
    """Class of the error, from ERRORS."""
    message: str


def gateway_folder(root: Path) -> Path:
    return root / ".hallmark" / "gateway"


def find(root: Path) -> RunningServer | None:
    return local_server.find_running_server(gateway_folder(root))


def served_model(root: Path) -> str:
    """Return the name of the model that the gateway serves or served last; empty if there is none."""
    path = gateway_folder(root) / "model"
    return path.read_text().strip() if path.is_file() else ""


def stop(root: Path) -> bool:
    return local_server.stop_server(gateway_folder(root), ANSWER_SECONDS)


def start(root: Path, name: str, say: Callable[[str], None]) -> RunningServer:
    """Return the running gateway, and start it if there is none.

    Raises:
        Unavailable: The gateway does not start. The message names its log.
        InputError: A setting is invalid, or the gateway serves another model.
        Refused: The release in production is not admitted.
    """
    log_format()  # an invalid setting is an error here, not in the log of the process
    folder = gateway_folder(root)
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    with locks.hold_exclusive_lock(folder / "up.lock", "another command starts the gateway"):
        up = find(root)
        if up and served_model(root) != name:
            raise InputError(f"the gateway serves {served_model(root)}; say `hallmark serve down`, then start it")
        if up is None:
            return _start(root, folder, name, say)
        _wait_until_loaded(folder, up.process, up.port)  # the command that started it may have been killed
        return up


def _start(root: Path, folder: Path, name: str, say: Callable[[str], None]) -> RunningServer:
    (folder / FAILURE_FILE).unlink(missing_ok=True)
    files.write_bytes(folder / "model", name.encode())
    for wanted in (ports.preferred_port(PORT_VARIABLE, DEFAULT_PORT), 0):
        port = ports.free_port(wanted)
        if port is not None:
            command = [*HALLMARK_PROCESS, "infra.gateway.serve", str(root), name, str(port)]
            process = spawn_process(folder, "gateway", command, {**os.environ, "HALLMARK_ROOT": str(root)})
            # Before it has loaded, so that `serve down` finds it if this command is killed.
            up = RunningServer(origin=f"http://127.0.0.1:{port}", port=port, process=process)
            local_server.write_state(folder, up)
            if _wait_until_loaded(folder, process, port):
                return up
        if wanted:
            say(f"port {wanted} is in use; taking a free one for the gateway")
    raise Unavailable("no free port on 127.0.0.1")


def _wait_until_loaded(folder: Path, process: Process, port: int) -> bool:
    log_path, failure = folder / "gateway.log", folder / FAILURE_FILE
    try:
        return local_server.wait_until_ready(process, port, "the gateway", log_path, LOAD_TIMEOUT_SECONDS)
    except Unavailable:
        if failure.exists():
            said = Failure.model_validate_json(failure.read_bytes())
            raise ERRORS.get(said.error, Unavailable)(said.message) from None
        raise
