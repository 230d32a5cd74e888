"""Ports on this machine's loopback: which are free, whose they are, and whether Prefect answers there."""

import errno
import socket
import time
import urllib.error
import urllib.request

import psutil

LOOPBACK = ((socket.AF_INET, "127.0.0.1"), (socket.AF_INET6, "::1"))
NO_IPV6 = (errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT)


def free(wanted: int, by_name: bool = False) -> int | None:
    """`wanted`, or any free one for 0; None where it is taken. `by_name`: as `bound`."""
    try:
        probes = bound(wanted, by_name)
    except OSError:
        return None
    port = int(probes[0].getsockname()[1])
    for probe in probes:
        probe.close()
    return port


def bound(wanted: int, by_name: bool = False) -> list[socket.socket]:
    """Sockets at a port of 127.0.0.1, any for 0. `by_name`: at ::1 too, which browsers take `localhost` for first, so
    that nobody else answers to it; a machine without IPv6 has none. Raises OSError where it is taken."""
    made = list[socket.socket]()
    try:
        for family, host in LOOPBACK[: 1 + by_name]:
            made.append(_bound(family, host, made[0].getsockname()[1] if made else wanted))
    except OSError as error:
        if made and error.errno in NO_IPV6:
            return made
        for each in made:
            each.close()
        raise
    return made


def _bound(family: socket.AddressFamily, host: str, port: int) -> socket.socket:
    made = socket.socket(family)
    try:
        made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # a port just given up is free
        made.bind((host, port))
    except OSError:
        made.close()
        raise
    return made


def held_by(pid: int, port: int) -> bool:
    """Whether a process or a child of it listens on the port."""
    try:
        process = psutil.Process(pid)
        links = [link for part in (process, *process.children(recursive=True)) for link in part.net_connections("tcp")]
    except psutil.Error:
        return False
    return any(link.status == psutil.CONN_LISTEN and link.laddr.port == port for link in links)


def answers(api: str, seconds: float = 0) -> bool:
    """Whether a Prefect server answers, asked again for some seconds."""
    deadline = time.monotonic() + seconds
    while True:
        try:
            with urllib.request.urlopen(f"{api}/health", timeout=2):
                return True
        except (urllib.error.URLError, OSError):
            if time.monotonic() >= deadline:
                return False
            time.sleep(0.2)
