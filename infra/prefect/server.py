"""Start, find and stop the Prefect server, runner and watch of a checkout. State lies in .hallmark/prefect/."""

import contextlib
import os
import re
from collections.abc import Callable, Collection
from functools import partial
from pathlib import Path

import psutil

from infra import ports, served
from infra.prefect import access, notify
from infra.prefect.settings import Settings
from infra.processes import Process, end, kill_late, spawn
from tasks.core import files, locks
from tasks.core.config import Frozen
from tasks.core.errors import InputError, Unavailable
from tasks.policy import judge
from tasks.runs import dvc

BEGIN = ("-m", "infra.prefect.begin")
PORT = 4200
"""Prefect's usual port; where it is taken, a free one is used."""
SECONDS = 300
"""How long it may take to answer first; it makes its tables before."""
PORT_VARIABLE = "HALLMARK_PREFECT_PORT"
"""Environment variable: another port to try first."""


class Up(Frozen):
    """.hallmark/prefect/up.json"""

    api: str
    server: Process | None
    """None where PREFECT_API_URL names a server that somebody else runs."""
    runner: Process
    watch: Process | None = None
    """None where an earlier version started it, whose runner watched as well."""
    settings: Settings = Settings()
    """What both were started with."""
    hallmark: str | None = None
    """Digest of the Hallmark that the runner executes; null for an editable install, which changes all the time."""

    @property
    def ui(self) -> str:
        return self.api.removesuffix("/api")

    def asks_for(self, root: Path) -> Path | None:
        """The file with the secret that its pages ask for once; None where somebody else runs the server."""
        return access.secret_file(root) if self.server else None


def find(root: Path) -> Up | None:
    """What is up for this checkout, or None. The watch may be gone: nobody who starts or follows a run needs it."""
    path = access.folder(root) / "up.json"
    if not path.exists():
        return None
    up = Up.model_validate_json(path.read_bytes())
    wanted = [process for process in (up.server, up.runner) if process is not None]
    return up if all(process.serves(access.folder(root)) for process in wanted) else None


def start(root: Path, say: Callable[[str], None], also: Collection[str] = ()) -> Up:
    """Have a server and a runner up. Where one of them is gone both start anew, so that they have the same settings,
    secret and port. Raises Unavailable with the log's path.

    Raises InputError where they are up with other settings than this command's: runs would not follow these; and for a
    HALLMARK_NOTIFY that names nothing. `also` are variables that count as settings too.
    """
    notify.target()
    with locks.turn(access.folder(root) / "up.lock", "another command starts Prefect"):
        up = find(root)
        if up is None:
            return _start(root, say)
    if up.hallmark and up.hallmark != _installed():
        raise InputError(
            f"the runner executes another Hallmark (SHA-256 {up.hallmark[:12]}) than this command: `hallmark down`, "
            "then this command again; runs in progress go on by themselves"
        )
    if other := up.settings.differ(os.environ, also):
        raise InputError(
            f"the runner was started with other settings: {', '.join(other)}. To run with yours: `hallmark down`, "
            "then this command again; runs in progress go on by themselves"
        )
    return _watched(root, up)


def _watched(root: Path, up: Up) -> Up:
    """With a watch, if it is gone."""
    with locks.turn(access.folder(root) / "up.lock", "another command starts Prefect"):
        known = find(root)
        if known is None or known.watch is None or known.watch.serves(access.folder(root)):
            return known or up
        return _write(root, known.model_copy(update={"watch": _watch(root, known.api, known.server is not None)}))


def _start(root: Path, say: Callable[[str], None]) -> Up:
    if _died(root):  # others may have listened on its port since, and been told the secret
        access.secret_file(root).unlink(missing_ok=True)
    stop(root)
    if api := os.environ.get("PREFECT_API_URL"):
        server = None
        if not ports.answers(api, seconds=60):
            raise Unavailable(f"the Prefect server at {api} (PREFECT_API_URL) does not answer")
    else:
        server, api = _serve(root, say)
    given = access.environment(root, api, own=server is not None)
    runner = spawn(access.folder(root), "runner", [*BEGIN, "infra.prefect.runner"], given)
    watch = _watch(root, api, server is not None)
    settings = Settings.of(os.environ)
    return _write(
        root, Up(api=api, server=server, runner=runner, watch=watch, settings=settings, hallmark=_installed())
    )


def _watch(root: Path, api: str, own: bool) -> Process:
    return spawn(access.folder(root), "watch", [*BEGIN, "infra.prefect.watch"], access.environment(root, api, own))


def _write(root: Path, up: Up) -> Up:
    """Nobody else may read it: a short password can be guessed from its digest."""
    files.write_bytes(access.folder(root) / "up.json", up.model_dump_json(indent=2).encode(), mode=0o600)
    return up


def _installed() -> str | None:
    """Digest of this Hallmark; None for an editable install."""
    here = judge.here()
    return None if here.editable else here.sha256


def _died(root: Path) -> bool:
    """Whether a server of this checkout's own is gone that nobody stopped."""
    path = access.folder(root) / "up.json"
    if not path.exists():
        return False
    server = Up.model_validate_json(path.read_bytes()).server
    return server is not None and not server.serves(access.folder(root))


def stop(root: Path) -> bool:
    """Stop what `start` started here, children included; True where something was up."""
    path = access.folder(root) / "up.json"
    if not path.exists():
        return False
    up = Up.model_validate_json(path.read_bytes())
    own = access.folder(root)
    running, serving = up.runner.serves(own), up.server is not None and up.server.serves(own)
    if up.watch is not None and up.watch.serves(own):
        end(up.watch)
    if running:
        _end_runner(up.runner)
    if up.server is not None and serving:
        end(up.server)
    path.unlink()
    return running or serving


def _serve(root: Path, say: Callable[[str], None]) -> tuple[Process, str]:
    """A server of this checkout's own and its API's URL: on the usual port, or on a free one where that is taken."""
    for wanted in (_port(), 0):
        port = ports.free(wanted)
        if port is not None:
            api = f"http://127.0.0.1:{port}/api"
            command = [*BEGIN, "prefect", "server", "start", "--host", "127.0.0.1", "--port", str(port)]
            server = spawn(access.folder(root), "server", command, access.server_environment(root, api))
            log, is_up = access.folder(root) / "server.log", partial(ports.answers, api)
            if served.ready(server, port, f"the Prefect server at {api}", log, SECONDS, is_up):
                return server, api
        say(f"port {wanted} is in use; taking a free one for Prefect")
    raise Unavailable("no free port on 127.0.0.1")


def _port() -> int:
    """The port to try first. Raises InputError for a setting that is none."""
    given = os.environ.get(PORT_VARIABLE) or str(PORT)
    if not re.fullmatch("[0-9]{1,5}", given) or int(given) > 65535:
        raise InputError(f"{PORT_VARIABLE}: expected a port from 1 to 65535, or 0 for any free one, got {given!r}")
    return int(given)


def _end_runner(process: Process) -> None:
    """End the runner and its flow runs at once, and their stages gently.

    Told gently, runner and flow runs would report the runs as cancelled or crashed, and those would not go on; killed,
    they leave orphans, which the next runner takes up. They are waited for, since they hold their runs until they are
    gone. A stage is in a session of its own. Its supervisor tells it to end, and it tells its workers: a training
    writes a checkpoint first.
    """
    with contextlib.suppress(psutil.NoSuchProcess):  # it ends by itself, as where its server turns it away
        runner = psutil.Process(process.pid)
        flow_runs = runner.children()
        others = [child for child in runner.children(recursive=True) if child not in flow_runs]
        told = {os.getsid(process.pid), *(started.pid for each in flow_runs for started in each.children())}
        for running in (runner, *flow_runs):
            running.kill()
        for running in others:
            with contextlib.suppress(psutil.NoSuchProcess, ProcessLookupError):
                if os.getsid(running.pid) in told:
                    running.terminate()
        kill_late([runner, *flow_runs, *others], dvc.PATIENCE)
