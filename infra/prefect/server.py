"""Start, lookup and stop of the Prefect server, runner and watch of a checkout. Its files are in .hallmark/prefect/."""

import os
from collections.abc import Callable, Collection
from functools import partial
from pathlib import Path

from infra import local_server, ports
from infra.logs.settings import FOREGROUND_VARIABLE, log_format
from infra.prefect import access, notify
from infra.prefect.ending import end_runners
from infra.prefect.settings import EnvironmentDigests
from infra.processes import HALLMARK_PROCESS, Process, end_process, spawn_process
from tasks.core import files
from tasks.core.documents.config import FrozenModel
from tasks.core.errors import InputError, Unavailable
from tasks.core.formatting import format_url
from tasks.core.machine import locks
from tasks.policy import judge_install

DEFAULT_PORT = 4200
"""Default port of Prefect. If it is taken, a free port is used."""
START_TIMEOUT_SECONDS = 300
"""Maximum time in seconds in which the server must create its tables and respond for the first time."""
MIN_LIFE_SECONDS = 30.0
"""Seconds after the start of a runner or a watch in which it is not started again, so that one that always dies at once
does not take up the machine."""
REVIVED_OPTION = "--revived"
"""Option of a runner that is started because the one before it had died."""
PORT_VARIABLE = "HALLMARK_PREFECT_PORT"
"""Environment variable with the port to try first."""


class RunningPrefect(FrozenModel):
    """Content of .hallmark/prefect/up.json."""

    api: str
    server: Process | None
    """Process of this checkout's server; None if PREFECT_API_URL names an external server."""
    runner: Process
    earlier_runners: tuple[Process, ...] = ()
    """Runners that have died and were replaced. Their flow runs may still be running."""
    watch: Process | None = None
    """Process of the watch; None if an earlier version of Hallmark started the runner. In that version, the runner was
    also the watch."""
    foreground: bool = False
    """Whether `hallmark up --foreground` has started the processes, which then log to its standard error."""
    settings: EnvironmentDigests = EnvironmentDigests()
    hallmark: str | None = None
    """SHA-256 of the Hallmark installation that the runner executes; null for an editable install, because its code can
    change at any time."""

    @property
    def log_place(self) -> str:
        return "standard error of `hallmark up --foreground`" if self.foreground else ".hallmark/prefect/*.log"

    @property
    def ui_url(self) -> str:
        return format_url(self.api.removesuffix("/api"))

    def ui_secret_file(self, root: Path) -> Path | None:
        """Return the file with the secret that the server's web pages require; None for an external server."""
        return access.secret_file(root) if self.server else None


def find(root: Path) -> RunningPrefect | None:
    """Return the running server and runner of this checkout, or None.

    The watch need not be running, because commands that start or follow a run do not need it.
    """
    up = _read_state(root)
    if up is None:
        return None
    wanted = [process for process in (up.server, up.runner) if process is not None]
    return up if all(process.was_started_in(access.prefect_folder(root)) for process in wanted) else None


def start(root: Path, say: Callable[[str], None], more_settings: Collection[str] = ()) -> RunningPrefect:
    """Start the server and the runner unless both are running, and return them.

    If one of them has ended, both are started again, so that they have the same settings, secret and port.
    `more_settings` names further environment variables that count as settings.

    Raises:
        Unavailable: A process does not start. The message names its log.
        InputError: HALLMARK_NOTIFY or HALLMARK_LOG_FORMAT is invalid, or the runner was started with other settings or
            from another Hallmark installation than this command, and runs would use those.
    """
    notify.configured_destination()
    log_format()
    with locks.hold_exclusive_lock(_lock_path(root), "another command starts Prefect"):
        up = find(root)
        if up is None:
            return _start(root, say)
    if up.hallmark and up.hallmark != _installed_digest():
        raise InputError(
            f"the runner executes another Hallmark (SHA-256 {up.hallmark[:12]}) than this command: `hallmark down`, "
            "then this command again; runs in progress go on by themselves"
        )
    if other := up.settings.differing_names(os.environ, more_settings):
        raise InputError(
            f"the runner was started with other settings: {', '.join(other)}. To run with yours: `hallmark down`, "
            "then this command again; runs in progress go on by themselves"
        )
    return _ensure_watch(root, up)


def is_working(root: Path) -> bool:
    """Return whether the server is running, and at least one of runner and watch.

    Each of these two starts the other again. A server that another machine runs counts as running.
    """
    up, own = _read_state(root), access.prefect_folder(root)
    if up is None or (up.server and not up.server.was_started_in(own)):
        return False
    return any(process and process.was_started_in(own) for process in (up.runner, up.watch))


def is_recorded(root: Path) -> bool:
    """Return whether `start` was called and `stop` was not.

    If a command is starting or stopping Prefect, this call waits until that command has finished.
    """
    with locks.hold_exclusive_lock(_lock_path(root), "another command starts or stops Prefect"):
        return _read_state(root) is not None


def find_dead(root: Path) -> list[str]:
    """Return which of runner and watch has died: `runner`, `watch`.

    The list is empty if the server has died too, because then `hallmark up` starts all of them, with another secret. It
    is also empty if another Hallmark was installed meanwhile, and for MIN_LIFE_SECONDS after the start of a process.
    """
    up, own = _read_state(root), access.prefect_folder(root)
    if up is None or (up.server and not up.server.was_started_in(own)):
        return []
    dead = [
        name
        for name, process in {"runner": up.runner, "watch": up.watch}.items()
        if process and process.age_seconds() > MIN_LIFE_SECONDS and not process.was_started_in(own)
    ]
    return dead if dead and up.hallmark == _installed_digest() else []


def restart_dead(root: Path) -> list[str]:
    """Start the runner or the watch again if it has died, unless a command starts or stops Prefect at this time.

    Returns:
        Names of the processes that were started.
    """
    with locks.try_exclusive_lock(_lock_path(root)) as mine:
        dead, up = find_dead(root) if mine else [], _read_state(root)
        if up is None:
            return []
        own = up.server is not None
        start = {
            "runner": lambda: _start_runner(root, up.api, own, REVIVED_OPTION),
            "watch": lambda: _start_watch(root, up.api, own),
        }
        if dead:
            changed: dict[str, object] = {name: start[name]() for name in dead}
            if "runner" in dead:
                changed["earlier_runners"] = (*up.earlier_runners, up.runner)
            _write_state(root, up.model_copy(update=changed))
        return dead


def _ensure_watch(root: Path, up: RunningPrefect) -> RunningPrefect:
    with locks.hold_exclusive_lock(_lock_path(root), "another command starts Prefect"):
        known = find(root)
        if known is None or known.watch is None or known.watch.was_started_in(access.prefect_folder(root)):
            return known or up
        return _write_state(
            root, known.model_copy(update={"watch": _start_watch(root, known.api, known.server is not None)})
        )


def _start(root: Path, say: Callable[[str], None]) -> RunningPrefect:
    if _ended_unexpectedly(root):  # another process may have listened on its port since, and received the secret
        access.secret_file(root).unlink(missing_ok=True)
    _stop(root)
    if api := os.environ.get("PREFECT_API_URL"):
        server = None
        if not ports.prefect_responds(api, seconds=60):
            raise Unavailable(f"the Prefect server at {format_url(api)} (PREFECT_API_URL) does not answer")
    else:
        say("starting the Prefect server, the runner and the watch")
        server, api = _start_server(root, say)
    runner = _start_runner(root, api, server is not None)
    watch = _start_watch(root, api, server is not None)
    settings = EnvironmentDigests.of_environment(os.environ)
    return _write_state(
        root,
        RunningPrefect(
            api=api,
            server=server,
            runner=runner,
            watch=watch,
            foreground=FOREGROUND_VARIABLE in os.environ,
            settings=settings,
            hallmark=_installed_digest(),
        ),
    )


def _start_runner(root: Path, api: str, own: bool, *options: str) -> Process:
    return spawn_process(
        access.prefect_folder(root),
        "runner",
        [*HALLMARK_PROCESS, "infra.prefect.runner", *options],
        access.with_hallmark_log_format(root, access.client_environment(root, api, own)),
    )


def _start_watch(root: Path, api: str, own: bool) -> Process:
    return spawn_process(
        access.prefect_folder(root),
        "watch",
        [*HALLMARK_PROCESS, "infra.prefect.watch"],
        access.with_hallmark_log_format(root, access.client_environment(root, api, own)),
    )


def _lock_path(root: Path) -> Path:
    return access.prefect_folder(root) / "up.lock"


def _read_state(root: Path) -> RunningPrefect | None:
    path = access.prefect_folder(root) / "up.json"
    return RunningPrefect.model_validate_json(path.read_bytes()) if path.exists() else None


def _write_state(root: Path, up: RunningPrefect) -> RunningPrefect:
    """Write up.json so that only its owner can read it.

    It contains digests of passwords. A short password can be guessed from its digest.
    """
    files.write_bytes(access.prefect_folder(root) / "up.json", up.model_dump_json(indent=2).encode(), mode=0o600)
    return up


def _installed_digest() -> str | None:
    here = judge_install.current_judge()
    return None if here.editable else here.sha256


def _ended_unexpectedly(root: Path) -> bool:
    up = _read_state(root)
    return bool(up and up.server and not up.server.was_started_in(access.prefect_folder(root)))


def stop(root: Path) -> bool:
    """Stop the processes that `start` started, with their children.

    Returns:
        Whether the server, a runner or a flow run was running.
    """
    if not (access.prefect_folder(root) / "up.json").exists():
        return False
    with locks.hold_exclusive_lock(_lock_path(root), "another command starts Prefect"):
        return _stop(root)


def _stop(root: Path) -> bool:
    up, own = _read_state(root), access.prefect_folder(root)
    if up is None:
        return False
    serving = up.server is not None and up.server.was_started_in(own)
    if up.watch is not None and up.watch.was_started_in(own):
        end_process(up.watch)
    running = end_runners([up.runner, *up.earlier_runners], own)
    if up.server is not None and serving:
        end_process(up.server)
    (own / "up.json").unlink()
    return running or serving


def _start_server(root: Path, say: Callable[[str], None]) -> tuple[Process, str]:
    for wanted in (ports.preferred_port(PORT_VARIABLE, DEFAULT_PORT), 0):
        port = ports.free_port(wanted)
        if port is not None:
            api = f"http://127.0.0.1:{port}/api"
            command = [*HALLMARK_PROCESS, "prefect", "server", "start", "--host", "127.0.0.1", "--port", str(port)]
            given = access.with_hallmark_log_format(root, access.server_environment(root, api))
            server = spawn_process(access.prefect_folder(root), "server", command, given)
            log, is_up = access.prefect_folder(root) / "server.log", partial(ports.prefect_responds, api)
            if local_server.wait_until_ready(
                server, port, f"the Prefect server at {api}", log, START_TIMEOUT_SECONDS, is_up
            ):
                return server, api
        say(f"port {wanted} is in use; taking a free one for Prefect")
    raise Unavailable("no free port on 127.0.0.1")
