"""Start, lookup and stop of the console of a checkout. Its files are in .hallmark/console/."""

import os
import re
from collections.abc import Callable
from pathlib import Path

from infra import local_server, ports
from infra.console.accounts import Accounts
from infra.console.database import open_database
from infra.console.oidc.settings import ISSUER_VARIABLE, sign_in_methods
from infra.local_server import RunningServer
from infra.logs.settings import log_format
from infra.processes import HALLMARK_PROCESS, spawn_process
from tasks.core import files
from tasks.core.errors import InputError, Refused, Unavailable
from tasks.core.machine import locks
from tasks.trust.passkey import LOCALHOST

DEFAULT_PORT = 4220
PORT_VARIABLE = "HALLMARK_CONSOLE_PORT"
"""Environment variable with the port to try first."""
ORIGIN_VARIABLE = "HALLMARK_CONSOLE_ORIGIN"
"""Environment variable with the https URL at which a proxy serves the console."""
LOCALHOST_ORIGIN = f"http://{LOCALHOST}"
"""Value of ORIGIN_VARIABLE for a console at `localhost` without a proxy. Passkeys need a host name, not an IP
address."""


def console_folder(root: Path) -> Path:
    return root / ".hallmark" / "console"


def find(root: Path) -> RunningServer | None:
    return local_server.find_running_server(console_folder(root))


def running_url(root: Path) -> str:
    """Return the URL of the running console, or an empty string if none is running."""
    up = find(root)
    return up.origin if up else ""


def start(root: Path, say: Callable[[str], None]) -> RunningServer:
    """Return the running console, and start it if there is none.

    Raises:
        Unavailable: The console does not start. The message names its log.
        InputError: A setting is invalid, or the console runs at a URL other than the configured one.
        Refused: Nobody could sign in.
    """
    log_format()
    console_folder(root).mkdir(parents=True, exist_ok=True)
    with locks.hold_exclusive_lock(console_folder(root) / "up.lock", "another command starts the console"):
        up = find(root)
        if up and not _has_configured_origin(up.origin):
            raise InputError(
                f"the console is up at {up.origin}, not at {_configured_origin()}; say `hallmark down`, then start it"
            )
        return up or _start(root, say)


def stop(root: Path) -> bool:
    return local_server.stop_server(console_folder(root))


def _start(root: Path, say: Callable[[str], None]) -> RunningServer:
    proxied = _proxy_origin()
    _require_sign_in(root, proxied)
    for wanted in (_preferred_port(root),) if proxied else (_preferred_port(root), 0):
        port = ports.free_port(wanted, for_localhost=_configured_origin() == LOCALHOST_ORIGIN)
        if port is not None:
            origin = proxied or f"{_local_origin()}:{port}"
            command = [*HALLMARK_PROCESS, "infra.console.serve", str(root), origin, str(port)]
            process = spawn_process(
                console_folder(root), "console", command, {**os.environ, "HALLMARK_ROOT": str(root)}
            )
            if local_server.wait_until_ready(process, port, "the console", console_folder(root) / "console.log"):
                files.write_bytes(console_folder(root) / "port", str(port).encode())
                return local_server.write_state(
                    console_folder(root), RunningServer(origin=origin, port=port, process=process)
                )
        if not proxied:
            say(f"port {wanted} is in use; taking a free one for the console, where browsers have no key of it yet")
    if proxied:  # the proxy keeps sending people to that port, whichever process listens on it
        raise Unavailable(
            f"port {_preferred_port(root)} is in use, and a proxy serves it; free it, or set {PORT_VARIABLE}"
        )
    raise Unavailable("no free port on 127.0.0.1")


def _preferred_port(root: Path) -> int:
    """Return the port to try first.

    By default it is the port that was used last, because browsers store keys by origin.
    """
    before = console_folder(root) / "port"
    return ports.preferred_port(PORT_VARIABLE, before.read_text() if before.exists() else DEFAULT_PORT)


def _local_origin() -> str:
    return LOCALHOST_ORIGIN if _configured_origin() == LOCALHOST_ORIGIN else "http://127.0.0.1"


def _has_configured_origin(origin: str) -> bool:
    given = _configured_origin()
    return given in ("", origin) or (given == LOCALHOST_ORIGIN and origin.startswith(f"{LOCALHOST_ORIGIN}:"))


def _configured_origin() -> str:
    return os.environ.get(ORIGIN_VARIABLE, "").rstrip("/")


def _proxy_origin() -> str:
    given = _configured_origin()
    if given == LOCALHOST_ORIGIN:
        return ""
    if given and not re.fullmatch(r"https://[a-z0-9]([a-z0-9.-]*[a-z0-9])?(:(?!443$)[0-9]{1,5})?", given):
        raise InputError(
            f"{ORIGIN_VARIABLE}: expected an address as browsers send it, such as https://hallmark.example.com, or "
            f"{LOCALHOST_ORIGIN} for this machine alone, got {given!r}"
        )
    return given


def _require_sign_in(root: Path, proxy_origin: str) -> None:
    """Raise Refused if a proxy makes the console reachable from other machines, but nobody can sign in."""
    by = sign_in_methods()
    if proxy_origin and by.provider is None and not Accounts(open_database(root / ".hallmark")).people_with_password():
        raise Refused(
            f"at {proxy_origin} others reach the console, and no sign-in is configured: "
            f"name a provider ({ISSUER_VARIABLE}), or give "
            "somebody a password first: hallmark console set-password --as ID"
        )
