"""A real S3-compatible store on loopback: what HALLMARK_SHARED/s3/serve starts."""

import fcntl
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

SERVE = Path(os.environ.get("HALLMARK_SHARED", Path(__file__).parents[2] / "shared")) / "s3" / "serve"
PORTS = 5
"""The store listens on a port and the four after it."""


def free_ports() -> int:
    """The first port of a free block."""
    for first in range(18_085, 28_000, PORTS):
        try:
            for port in range(first, first + PORTS):
                with socket.socket() as probe:
                    probe.bind(("127.0.0.1", port))
        except OSError:
            continue
        return first
    raise AssertionError("no free block of ports")


@contextmanager
def nobody() -> Iterator[str]:
    """An endpoint that nobody answers at, and that no store takes meanwhile."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        yield f"http://127.0.0.1:{taken.getsockname()[1]}"


def settings(endpoint: str) -> dict[str, str]:
    """The variables that point at the store."""
    return {
        "AWS_ENDPOINT_URL": endpoint,
        "AWS_ACCESS_KEY_ID": "test:tester",
        "AWS_SECRET_ACCESS_KEY": "testing",
        "AWS_DEFAULT_REGION": "us-east-1",
    }


@contextmanager
def served(folder: Path) -> Iterator[str]:
    """Its URL, the store being kept in `folder`; skips the test where there is none to start."""
    if not SERVE.exists():
        pytest.skip(f"no object store to start: there is no {SERVE}; set HALLMARK_SHARED")
    if shutil.which("swift-proxy-server") is None and os.geteuid() != 0:
        pytest.skip("the object store is not installed, and installing it needs root")
    with (folder / "log").open("w") as log, one_after_the_other():
        port = free_ports()
        server = subprocess.Popen([SERVE, folder / "store", str(port)], stdout=log, stderr=log, start_new_session=True)
        deadline = time.monotonic() + 500
        while "S3 ready" not in (said := (folder / "log").read_text()):
            assert server.poll() is None and time.monotonic() < deadline, said
            time.sleep(0.2)
    try:
        yield f"http://127.0.0.1:{port}"
    finally:
        os.killpg(server.pid, signal.SIGTERM)
        server.wait(timeout=30)


@contextmanager
def one_after_the_other() -> Iterator[None]:
    """The first start may install packages, and two that install at once disturb each other."""
    with (Path(tempfile.gettempdir()) / f"hallmark-object-store-{os.getuid()}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
