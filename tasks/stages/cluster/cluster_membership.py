"""Membership of this machine in a Ray cluster while a stage runs.

A program that uses Ray connects to the cluster through the raylet, Ray's process on each machine. A stage in its
sandbox must not reach the raylet of its machine, because it could use that raylet to start processes outside the
sandbox. The stage therefore starts its own raylet, without room for workers. A person with the cluster's token can
start processes through this raylet as well, but these are inside the sandbox and do not have the stage's keys.
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

OBJECT_STORE_BYTES = 80_000_000
"""Size of the raylet's object store in bytes: the minimum that Ray accepts."""
PORT_RANGE, PORTS_PER_STAGE = range(20_000, 21_000), 50
"""Ports on which the machines of the cluster reach this machine, and number of ports that one stage uses.

The network policies in infra/kubernetes/hallmark open these ports.
"""
PORT_OPTIONS = ("node-manager-port", "object-manager-port", "metrics-export-port", "dashboard-agent-grpc-port",
          "dashboard-agent-listen-port", "runtime-env-agent-port")  # fmt: skip
PASSED_VARIABLES, PASSED_VARIABLE_PREFIXES = (
    ("PATH", "HOME", "LANG", "TMPDIR", "LD_LIBRARY_PATH", "TZ"),
    ("RAY_", "GLOO_", "LC_"),
)
START_TIMEOUT_SECONDS = 120.0
STOP_TIMEOUT_SECONDS = 10.0


@contextmanager
def join_cluster(address: str, folder: Path) -> Iterator[bool]:
    """Run a raylet of the cluster on this machine during the block, unless one is running already.

    No raylet is started if the address is not of the form HOST:PORT. Ray itself resolves other forms.

    Args:
        address: Address of the cluster's head node.
        folder: Folder for the raylet's log.

    Yields:
        Whether this process started the raylet.

    Raises:
        Unavailable: The raylet did not start or did not join the cluster.
    """
    if address == "auto" or "://" in address or has_raylet(address):
        yield False
        return
    log = folder / "member.log"
    command = [str(Path(sys.executable).with_name("ray")), "start", "--block", f"--address={address}", "--num-cpus=0",
               "--num-gpus=0", f"--object-store-memory={OBJECT_STORE_BYTES}", *_port_arguments()]  # fmt: skip
    with log.open("w") as file:
        process = subprocess.Popen(command, env=_raylet_environment(), stdout=file, stderr=file, start_new_session=True)
    try:
        _wait_until_joined(process, address, log)
        yield True
    finally:
        _end_raylet(process)


def _raylet_environment() -> dict[str, str]:
    """Return the environment variables that Ray needs.

    Keys of other services are left out, because all processes that the cluster starts through this raylet inherit the
    variables.
    """
    return {
        name: value
        for name, value in os.environ.items()
        if name in PASSED_VARIABLES or name.startswith(PASSED_VARIABLE_PREFIXES)
    }


def _port_arguments() -> list[str]:
    """Return the port arguments of `ray start`, with a free block of ports from PORT_RANGE.

    Blocks are tried in random order, because other stages on this machine can be looking for ports at the same time.
    """
    blocks = random.sample(PORT_RANGE[::PORTS_PER_STAGE], len(PORT_RANGE) // PORTS_PER_STAGE)
    first = next(filter(_is_port_block_free, blocks), blocks[0])
    single = [f"--{name}={first + place}" for place, name in enumerate(PORT_OPTIONS)]
    return [
        *single,
        f"--min-worker-port={first + len(PORT_OPTIONS)}",
        f"--max-worker-port={first + PORTS_PER_STAGE - 1}",
    ]


def _is_port_block_free(first: int) -> bool:
    for port in range(first, first + PORTS_PER_STAGE):
        with socket.socket() as probe:
            try:
                probe.bind(("", port))
            except OSError:
                return False
    return True


def has_raylet(address: str) -> bool:
    from ray._private.services import get_node_to_connect_for_driver
    from ray._raylet import GcsClient  # type: ignore[attr-defined]  # compiled

    try:
        get_node_to_connect_for_driver(GcsClient(address=address), timeout_seconds=1)
    except RuntimeError:
        return False
    return True


def _wait_until_joined(process: "subprocess.Popen[bytes]", address: str, log: Path) -> None:
    until = time.monotonic() + START_TIMEOUT_SECONDS
    while not has_raylet(address):
        if process.poll() is not None or time.monotonic() > until:
            log_tail = "\n".join(log.read_text().strip().splitlines()[-3:])
            raise Unavailable(f"this machine could not join the Ray cluster at RAY_ADDRESS={address}: {log_tail}")


def _end_raylet(process: "subprocess.Popen[bytes]") -> None:
    for how in (signal.SIGTERM, signal.SIGKILL):
        try:
            os.killpg(process.pid, how)
            process.wait(timeout=STOP_TIMEOUT_SECONDS)
        except ProcessLookupError:
            return
        except subprocess.TimeoutExpired:
            continue
