"""Real S3-compatible store on loopback, started by HALLMARK_SHARED/s3/serve.

Tests share the session's store, the fixture `object_store` of tests/conftest.py; each test has its own bucket.
"""

import fcntl
import os
import shutil
import signal
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import psutil
import pytest

from tests import shared
from tests.patience import wait_until

if TYPE_CHECKING:
    from s3fs import S3FileSystem

SERVE = Path(os.environ.get("HALLMARK_SHARED", Path(__file__).parents[2] / "shared")) / "s3" / "serve"
PORTS = 5
"""Number of consecutive ports on which the store listens."""


def free_ports() -> int:
    """Return the first port of a free block."""
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
    """Yield an endpoint that does not answer; its port is reserved while the block runs."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        yield f"http://127.0.0.1:{taken.getsockname()[1]}"


def settings(endpoint: str) -> dict[str, str]:
    """Return the environment variables for the store at `endpoint`."""
    return {
        "AWS_ENDPOINT_URL": endpoint,
        "AWS_ACCESS_KEY_ID": "test:tester",
        "AWS_SECRET_ACCESS_KEY": "testing",
        "AWS_DEFAULT_REGION": "us-east-1",
    }


def point_at(endpoint: str, patch: pytest.MonkeyPatch, **changes: str) -> None:
    """Set the environment variables for the store at `endpoint`, with `changes`."""
    for name, value in (settings(endpoint) | changes).items():
        patch.setenv(name, value)


def in_bucket(endpoint: str, name: str, patch: pytest.MonkeyPatch) -> "S3FileSystem":
    """Set the environment variables for the store at `endpoint`, and return its files once the bucket exists."""
    import s3fs

    point_at(endpoint, patch)
    files = s3fs.S3FileSystem(skip_instance_cache=True)
    files.makedirs(name, exist_ok=True)
    return files


@contextmanager
def served(folder: Path) -> Iterator[str]:
    """Start a store with its data in `folder`, and yield its URL; skip the test if no store can be started."""
    known = _start(folder)
    try:
        yield known["url"]
    finally:
        _stop(known)


@contextmanager
def shared_store(home: Path) -> Iterator[str]:
    """Yield the URL of the store that all processes with the folder `home` share."""

    def start() -> dict[str, str]:
        folder = home / "object-store"
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir()
        return _start(folder)

    with shared.service(home, "object-store", start, _stop) as known:
        yield known["url"]


def _start(folder: Path) -> dict[str, str]:
    if not SERVE.exists():
        pytest.skip(f"no object store to start: there is no {SERVE}; set HALLMARK_SHARED")
    if shutil.which("swift-proxy-server") is None and os.geteuid() != 0:
        pytest.skip("the object store is not installed, and installing it needs root")
    log, number = folder / "log", folder / "pid"
    with log.open("w") as said, one_after_the_other():
        port = free_ports()
        # In a session of its own and no child of this process, since it outlives this process for its other users.
        forked = ["setsid", "--fork", "sh", "-c", 'echo $$ >"$0"; exec "$@"', number, SERVE, folder / "store"]
        subprocess.run([*forked, str(port)], check=True, stdin=subprocess.DEVNULL, stdout=said, stderr=said)
        pid = wait_until(lambda: number.exists() and number.read_text().strip(), "the object store's process")
        # The first start may install the store.
        wait_until(
            lambda: "S3 ready" in log.read_text() or _ended(int(pid)),
            "the object store",
            seconds=500,
            saw=log.read_text,
        )
    assert "S3 ready" in log.read_text(), log.read_text()
    return {"url": f"http://127.0.0.1:{port}", "pid": str(pid)}


def _stop(known: dict[str, str]) -> None:
    pid = int(known["pid"])
    os.killpg(pid, signal.SIGTERM)
    wait_until(lambda: _ended(pid), "the object store to end", seconds=30)


def _ended(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True


@contextmanager
def one_after_the_other() -> Iterator[None]:
    """Hold a lock while a store starts: the first start may install packages, and two installations would collide."""
    with (Path(tempfile.gettempdir()) / f"hallmark-object-store-{os.getuid()}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
