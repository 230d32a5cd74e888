"""This machine as one of a cluster's, for as long as a training runs.

A program of Ray's talks to the cluster through a raylet of its own machine. In its sandbox a stage sees none, and must
not: whoever reaches a raylet starts processes beside it. So the stage brings its own, which has room for no worker.
Whoever has the cluster's token can start processes beside that one too: inside the sandbox, with none of its keys.
"""

import os
import random
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tasks.core.errors import Unavailable

STORE_BYTES = 80_000_000
"""Ray's object store here; the least that Ray takes."""
PORTS, BLOCK = range(20_000, 21_000), 50
"""Where the cluster's machines reach this one, and how many of them a training takes; infra/kubernetes/hallmark opens
them."""
SINGLE = ("node-manager-port", "object-manager-port", "metrics-export-port", "dashboard-agent-grpc-port",
          "dashboard-agent-listen-port", "runtime-env-agent-port")  # fmt: skip
NAMES, BEGIN = ("PATH", "HOME", "LANG", "TMPDIR", "LD_LIBRARY_PATH", "TZ"), ("RAY_", "GLOO_", "LC_")
"""Variables of a raylet, and beginnings of their names."""
START_SECONDS = 120.0
END_SECONDS = 10.0


@contextmanager
def of(address: str, folder: Path) -> Iterator[bool]:
    """Inside the block there is a raylet of the cluster at HOST:PORT. Raises Unavailable where it does not come up.

    `folder`: for its log. An address of another form is for Ray to resolve. Yields whether it had to be started.
    """
    if address == "auto" or "://" in address or joined(address):
        yield False
        return
    log = folder / "member.log"
    command = [str(Path(sys.executable).with_name("ray")), "start", "--block", f"--address={address}", "--num-cpus=0",
               "--num-gpus=0", f"--object-store-memory={STORE_BYTES}", *_ports()]  # fmt: skip
    with log.open("w") as file:
        process = subprocess.Popen(command, env=_environment(), stdout=file, stderr=file, start_new_session=True)
    try:
        _wait(process, address, log)
        yield True
    finally:
        _end(process)


def _environment() -> dict[str, str]:
    """What Ray needs. The cluster may start processes beside the raylet, which inherit it: no keys but Ray's."""
    return {name: value for name, value in os.environ.items() if name in NAMES or name.startswith(BEGIN)}


def _ports() -> list[str]:
    """Ray's settings for a block of PORTS on which nobody listens; at random, since other trainings may look for theirs
    on this machine now."""
    blocks = random.sample(PORTS[::BLOCK], len(PORTS) // BLOCK)
    first = next(filter(_is_free, blocks), blocks[0])
    single = [f"--{name}={first + place}" for place, name in enumerate(SINGLE)]
    return [*single, f"--min-worker-port={first + len(SINGLE)}", f"--max-worker-port={first + BLOCK - 1}"]


def _is_free(first: int) -> bool:
    for port in range(first, first + BLOCK):
        with socket.socket() as probe:
            try:
                probe.bind(("", port))
            except OSError:
                return False
    return True


def joined(address: str) -> bool:
    """Whether a raylet of the cluster runs here."""
    from ray._private.services import get_node_to_connect_for_driver
    from ray._raylet import GcsClient  # type: ignore[attr-defined]  # compiled

    try:
        get_node_to_connect_for_driver(GcsClient(address=address), timeout_seconds=1)
    except RuntimeError:
        return False
    return True


def _wait(process: "subprocess.Popen[bytes]", address: str, log: Path) -> None:
    until = time.monotonic() + START_SECONDS
    while not joined(address):
        if process.poll() is not None or time.monotonic() > until:
            said = "\n".join(log.read_text().strip().splitlines()[-3:])
            raise Unavailable(f"this machine could not join the Ray cluster at RAY_ADDRESS={address}: {said}")


def _end(process: "subprocess.Popen[bytes]") -> None:
    """Ray's processes are one session, and end together."""
    for how in (signal.SIGTERM, signal.SIGKILL):
        try:
            os.killpg(process.pid, how)
            process.wait(timeout=END_SECONDS)
        except ProcessLookupError:
            return
        except subprocess.TimeoutExpired:
            continue
