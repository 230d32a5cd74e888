"""Ports on this machine's loopback: which are free, whose they are, and whether Prefect answers there."""

import socket
import time
import urllib.error
import urllib.request

import psutil


def free(wanted: int) -> int | None:
    """`wanted`, or any free one for 0; None where it is taken."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # a port just given up is free
        try:
            probe.bind(("127.0.0.1", wanted))
        except OSError:
            return None
        return int(probe.getsockname()[1])


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
