"""Ports on loopback: whether one is free, which process listens on it, and whether Prefect responds there."""

import errno
import os
import re
import socket
import time
import urllib.error
import urllib.request

import psutil

from tasks.core.errors import InputError

LOOPBACK = ((socket.AF_INET, "127.0.0.1"), (socket.AF_INET6, "::1"))
NO_IPV6 = (errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT)


def preferred_port(variable: str, default: int | str, alternatives: str = "") -> int:
    """Return the port to try first, from an environment variable. 0 stands for any free port.

    Args:
        variable: Name of the environment variable.
        default: Port if the variable is not set.
        alternatives: Other values that the caller takes, for the error message.

    Raises:
        InputError: The value is not a port.
    """
    given = os.environ.get(variable) or str(default)
    if not re.fullmatch("[0-9]{1,5}", given) or int(given) > 65535:
        raise InputError(
            f"{variable}: expected a port from 1 to 65535, or 0 for any free one{alternatives}, got {given!r}"
        )
    return int(given)


def free_port(requested_port: int, for_localhost: bool = False) -> int | None:
    """Return the port `requested_port`, or any free port if `requested_port` is 0; None if the port is taken.

    With `for_localhost`, the port must also be free on ::1, as in `bind_loopback`.
    """
    try:
        probes = bind_loopback(requested_port, for_localhost)
    except OSError:
        return None
    port = int(probes[0].getsockname()[1])
    for probe in probes:
        probe.close()
    return port


def bind_loopback(requested_port: int, for_localhost: bool = False) -> list[socket.socket]:
    """Return sockets bound to a port of 127.0.0.1, or to any free port if `requested_port` is 0.

    With `for_localhost`, a second socket is bound to the same port of ::1 if the machine has IPv6. Browsers try that
    address first for `localhost`, and no other process must be able to respond there.

    Raises:
        OSError: The port is taken.
    """
    made = list[socket.socket]()
    try:
        for family, host in LOOPBACK[: 1 + for_localhost]:
            made.append(_bind(family, host, made[0].getsockname()[1] if made else requested_port))
    except OSError as error:
        if made and error.errno in NO_IPV6:
            return made
        for each in made:
            each.close()
        raise
    return made


def _bind(family: socket.AddressFamily, host: str, port: int) -> socket.socket:
    # asyncio sends small answers at once (TCP_NODELAY) only if the socket names its protocol. Otherwise 40 ms are lost.
    made = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    try:
        made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # a port that was just closed counts as free
        made.bind((host, port))
    except OSError:
        made.close()
        raise
    return made


def listens(pid: int, port: int) -> bool:
    """Return whether a process or one of its descendants listens on a port."""
    try:
        process = psutil.Process(pid)
        links = [link for part in (process, *process.children(recursive=True)) for link in part.net_connections("tcp")]
    except psutil.Error:
        return False
    return any(link.status == psutil.CONN_LISTEN and link.laddr.port == port for link in links)


def prefect_responds(api: str, seconds: float = 0) -> bool:
    deadline = time.monotonic() + seconds
    while True:
        try:
            with urllib.request.urlopen(f"{api}/health", timeout=2):
                return True
        except (urllib.error.URLError, OSError):
            if time.monotonic() >= deadline:
                return False
            time.sleep(0.2)
