"""Start of a private Ray instance on this machine, which may take as long as a busy machine needs."""

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import psutil

from tasks.core.errors import Unavailable
from tasks.core.progress import print_progress

ATTEMPTS = 3
"""Maximum number of times that Ray is started."""
START_LIMIT_SECONDS = 600
"""Maximum time to wait for each of Ray's processes. Ray's own limit of 30 seconds is too short for a busy machine."""
GCS_PORT_VARIABLES = {"RAY_gcs_server_port_wait_time_s": str(START_LIMIT_SECONDS)}
"""Ray's environment variable for the time until its first process, the GCS server, listens."""
REPORT_SECONDS = 10.0
"""Time between two progress lines while Ray starts."""
LOOK_SECONDS = 0.2


def start_private_instance(settings: dict[str, Any]) -> None:
    """Start a private Ray instance, and connect to it. A start that fails is repeated.

    Args:
        settings: Arguments of `ray.init`.

    Raises:
        Unavailable: Ray did not start.
    """
    import ray

    for attempt in range(1, ATTEMPTS + 1):
        before = set(psutil.Process().children(recursive=True))
        try:
            with without_ray_monitors(), waiting_for_raylet():
                ray.init(address="local", **settings)
            return
        except Exception as error:  # Ray has no specific exception for this
            _kill_processes(set(psutil.Process().children(recursive=True)) - before)
            reason = (str(error).strip().splitlines() or [type(error).__name__])[-1]
            if attempt == ATTEMPTS or isinstance(error, ValueError):
                raise Unavailable(
                    f"Ray could not start on this machine: {reason}; see that /tmp and /dev/shm have room, and that a "
                    "process may open files enough (ulimit -n)"
                ) from None
            print_progress("ray", f"Ray did not start ({reason}), trying again")


def _kill_processes(left: set[psutil.Process]) -> None:
    """Kill the processes of a start that failed. Ray itself ends them only when this process ends."""
    for process in left:
        try:
            process.kill()
        except psutil.NoSuchProcess:
            continue
    psutil.wait_procs(list(left), timeout=LOOK_SECONDS)


@contextmanager
def waiting_for_raylet() -> Iterator[None]:
    """Let `ray.init` wait for the raylet, Ray's process on this machine, in the block: until it is ready or has ended.

    `ray.init` has no setting for this (version 2.60), so the method that starts the raylet is replaced. If a later
    version of Ray renames it, Ray's own limit applies.
    """
    node = getattr(sys.modules.get("ray._private.node"), "Node", None)  # a private class of Ray
    start: Callable[[Any], None] | None = getattr(node, "start_ray_processes", None)
    if node is None or start is None:
        yield
        return

    def start_and_wait(own: Any) -> None:
        start(own)
        _wait_until_registered(own)

    node.start_ray_processes = start_and_wait
    try:
        yield
    finally:
        node.start_ray_processes = start


def _wait_until_registered(node: Any) -> None:
    """Wait until the raylet of a node is registered. Ray itself reports a raylet that is not, or that has ended."""
    from ray._private import services

    began = reported = time.monotonic()
    while not node.dead_processes() and time.monotonic() < began + START_LIMIT_SECONDS:
        try:
            services.get_node(node.gcs_address, node._node_id)
            return
        except RuntimeError:  # it is not registered yet
            time.sleep(LOOK_SECONDS)
        if time.monotonic() > reported + REPORT_SECONDS:
            reported = time.monotonic()
            print_progress("ray", f"waiting for Ray to start, {reported - began:.0f} s so far")


@contextmanager
def without_ray_monitors() -> Iterator[None]:
    """Keep Ray from starting its autoscaler and its log monitor during the block.

    A private Ray instance needs neither, and together they take 0.8 CPU seconds. `ray start` has options to omit them,
    but `ray.init` has none (version 2.60), so their start methods are replaced. If a later version of Ray renames these
    methods, both processes start.
    """
    node = getattr(sys.modules.get("ray._private.node"), "Node", None)  # a private class of Ray
    kept = {name: getattr(node, name) for name in ("start_monitor", "start_log_monitor") if hasattr(node, name)}
    try:
        for name in kept:
            setattr(node, name, lambda *_, **__: None)
        yield
    finally:
        for name, start in kept.items():
            setattr(node, name, start)
