"""Start, find and stop the console of a checkout. State lies in .hallmark/console/."""

import os
import re
from collections.abc import Callable
from pathlib import Path

from infra import ports, served
from infra.console.accounts import Accounts
from infra.console.oidc.settings import ISSUER, configured
from infra.console.store import open_store
from infra.processes import spawn
from infra.served import Up
from tasks.core import files, locks
from tasks.core.errors import InputError, Refused, Unavailable
from tasks.trust.passkey import LOCALHOST

PORT = 4220
PORT_VARIABLE = "HALLMARK_CONSOLE_PORT"
"""Environment variable: another port to try first."""
ORIGIN_VARIABLE = "HALLMARK_CONSOLE_ORIGIN"
"""Environment variable: the https address that a proxy serves the console under."""
BY_NAME = f"http://{LOCALHOST}"
"""An origin that no proxy serves: this machine by its name, which passkeys need."""


def folder(root: Path) -> Path:
    return root / ".hallmark" / "console"


def find(root: Path) -> Up | None:
    """The console that is up for this checkout, or None."""
    return served.find(folder(root))


def address(root: Path) -> str:
    """Where people reach the console that is up; empty where none is."""
    up = find(root)
    return up.origin if up else ""


def start(root: Path, say: Callable[[str], None]) -> Up:
    """Have the console up. Raises Unavailable with the log's path, InputError for a setting that is none, Refused where
    nobody could sign in."""
    folder(root).mkdir(parents=True, exist_ok=True)
    with locks.turn(folder(root) / "up.lock", "another command starts the console"):
        up = find(root)
        if up and not _is_asked(up.origin):
            raise InputError(f"the console is up at {up.origin}, not at {_given()}; say `hallmark down`, then start it")
        return up or _start(root, say)


def stop(root: Path) -> bool:
    """Stop what `start` started here; True where it was up."""
    return served.stop(folder(root))


def _start(root: Path, say: Callable[[str], None]) -> Up:
    proxied = _proxied()
    _require_sign_in(root, proxied)
    for wanted in (_port(root),) if proxied else (_port(root), 0):
        port = ports.free(wanted, by_name=_given() == BY_NAME)
        if port is not None:
            origin = proxied or f"{_here()}:{port}"
            command = ["-m", "infra.console.serve", str(root), origin, str(port)]
            process = spawn(folder(root), "console", command, {**os.environ, "HALLMARK_ROOT": str(root)})
            if served.ready(process, port, "the console", folder(root) / "console.log"):
                files.write_bytes(folder(root) / "port", str(port).encode())
                return served.keep(folder(root), Up(origin=origin, port=port, process=process))
        if not proxied:
            say(f"port {wanted} is in use; taking a free one for the console, where browsers have no key of it yet")
    if proxied:  # which goes on sending people to that port, whoever listens there
        raise Unavailable(f"port {_port(root)} is in use, and a proxy serves it; free it, or set {PORT_VARIABLE}")
    raise Unavailable("no free port on 127.0.0.1")


def _port(root: Path) -> int:
    """The port to try first: the one before, since browsers keep keys by address, else the usual one. Raises InputError
    for a setting that is none."""
    before = folder(root) / "port"
    given = os.environ.get(PORT_VARIABLE) or (before.read_text() if before.exists() else str(PORT))
    if not re.fullmatch("[0-9]{1,5}", given) or int(given) > 65535:
        raise InputError(f"{PORT_VARIABLE}: expected a port from 1 to 65535, or 0 for any free one, got {given!r}")
    return int(given)


def _here() -> str:
    """How browsers of this machine name it."""
    return BY_NAME if _given() == BY_NAME else "http://127.0.0.1"


def _is_asked(origin: str) -> bool:
    """Whether a console that is up has the address that is asked for, if one is."""
    given = _given()
    return given in ("", origin) or (given == BY_NAME and origin.startswith(f"{BY_NAME}:"))


def _given() -> str:
    return os.environ.get(ORIGIN_VARIABLE, "").rstrip("/")


def _proxied() -> str:
    """The address that a proxy serves the console under; empty where none does. Raises InputError for a setting that is
    neither an https address nor BY_NAME."""
    given = _given()
    if given == BY_NAME:
        return ""
    if given and not re.fullmatch(r"https://[a-z0-9]([a-z0-9.-]*[a-z0-9])?(:(?!443$)[0-9]{1,5})?", given):
        raise InputError(
            f"{ORIGIN_VARIABLE}: expected an address as browsers send it, such as https://hallmark.example.com, or "
            f"{BY_NAME} for this machine alone, got {given!r}"
        )
    return given


def _require_sign_in(root: Path, proxied: str) -> None:
    """Raises Refused where others than the people of this machine reach a console that nobody can sign in to,
    InputError for settings that are none."""
    by = configured()
    if proxied and by.provider is None and not Accounts(open_store(root / ".hallmark")).people():
        raise Refused(
            f"at {proxied} others reach the console, and no sign-in is configured: name a provider ({ISSUER}), or give "
            "somebody a password first: hallmark console password --as ID"
        )
