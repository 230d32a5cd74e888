"""Ray: the cluster at RAY_ADDRESS, or a private one on this machine that lives as long as the stage."""

import os
import secrets
import shutil
import signal
import sys
import tempfile
from collections.abc import Iterator
from contextlib import chdir, contextmanager, suppress
from pathlib import Path
from types import FrameType
from typing import Any

from tasks.core.errors import InputError, Unavailable
from tasks.core.locks import is_held, turn
from tasks.stages.cluster import code, head, member, raylet
from tasks.stages.cluster.crew import Crew, python

STORE_BYTES = 256 * 1024**2
"""Ray's object store on this machine; it holds next to nothing."""

PREFIX, LOCK = "hm-r-", "lock"
SETTINGS = {
    "RAY_USAGE_STATS_ENABLED": "0",
    "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0",
    "RAY_worker_niceness": "0",  # Ray's default of 15 leaves a worker next to nothing of a busy machine
    "RAY_TRAIN_WORKER_GROUP_START_TIMEOUT_S": "600",  # a minute is too short for imports on a busy machine
    "RAY_TRAIN_HEALTH_CHECK_INTERVAL_S": "0.5",  # also how late the end of a training is noticed
    "RAY_get_check_signal_interval_milliseconds": "100",  # how late Ctrl-C is noticed; Ray's default is a second
}
"""Ray's settings where the person who starts the stage has none of their own."""
OWN_SETTINGS = {
    # No cloud takes this machine back with a warning, and the actor that listens for one takes seconds to start.
    "RAY_TRAIN_ENABLE_PREEMPTION_WATCHER": "0",
    # Ray would start a worker for each core at once; none serves a stage whose workers have their own interpreter.
    "RAY_prestart_worker_first_driver": "0",
    # Nobody sees the figures that Ray's processes gather, which takes 4 % of a core.
    "RAY_enable_metrics_collection": "0",
    "RAY_TRAIN_METRICS_ENABLED": "0",
    "REPORTER_UPDATE_INTERVAL_MS": "600000",
}
"""The same for a Ray of this stage's own."""
REQUIRED = {"RAY_TRAIN_V2_ENABLED": "1"}
"""Settings that Hallmark's code needs, whatever the person has set."""
LOOPBACK = {"RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER": "0"}
"""Ray replaces 127.0.0.1 by the machine's outward address, and listens on all interfaces, unless this says, as it does
on other systems by default, that no other machine takes part."""


def require_devices(crew: Crew) -> None:
    """Raises InputError where a Ray of this stage's own has too few GPUs: it would wait for them for ever."""
    import ray

    there = int(ray.cluster_resources().get("GPU", 0))
    if crew.gpu and there < crew.workers:
        raise InputError(
            f"{crew.section}.workers {crew.workers} on device gpu needs as many GPUs, and this machine has {there}; "
            f"lower it, set {crew.section}.device to cpu, or name a cluster in RAY_ADDRESS"
        )


@contextmanager
def running(crew: Crew, apart: bool = False) -> Iterator[None]:
    """Connected to Ray inside the block. SIGTERM ends the block like Ctrl-C does, so no worker is left behind.

    `apart`: the machines of the cluster have no disk in common, and are sent the code."""
    cluster = address()
    for name, value in (SETTINGS if cluster else SETTINGS | OWN_SETTINGS).items():
        os.environ.setdefault(name, value)
    os.environ.update(raylet.SAYS_WHY | REQUIRED)
    if cluster is None:
        os.environ.update(closed())
    import ray  # reads the environment when it is imported

    before = signal.getsignal(signal.SIGTERM)
    try:
        signal.signal(signal.SIGTERM, interrupt)
        with own_folder() as folder, membership(cluster, folder) as with_raylet:
            try:
                with chdir(folder):  # Ray has its workers import what lies in the folder that it is called from
                    sent = code.copied(folder) if apart else None
                    connect(cluster, quiet(crew, sent) | (own(crew, folder) if cluster is None else {}))
                if cluster is None:
                    require_devices(crew)
                with raylet.outlived(with_raylet):
                    yield
            finally:
                ray.shutdown(wait_for_processes=True)  # else they write to the folder while it goes
    finally:
        signal.signal(signal.SIGTERM, before)


@contextmanager
def membership(cluster: str | None, folder: Path) -> Iterator[bool]:
    """With a cluster: it is there, and this machine is one of it. Whether the raylet is this process's own."""
    if cluster is None:
        yield True
        return
    head.require(cluster)
    if ways := head.open_ways(cluster):
        print(ways, flush=True)
    with member.of(cluster, folder) as own:
        yield own


def address() -> str | None:
    """Where RAY_ADDRESS says that a cluster is; None for a Ray of this stage's own."""
    named = os.environ.get("RAY_ADDRESS")
    return None if named in (None, "", "local") else named


def closed() -> dict[str, str]:
    """The environment of a Ray of this stage's own: on loopback, and with a token that nobody else is told.

    Given by the environment, the token is written nowhere; without one Ray puts one into the user's home.
    """
    return {**LOOPBACK, "RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN": secrets.token_hex(32), "RAY_USE_TLS": "0"}


def connect(cluster: str | None, settings: dict[str, Any]) -> None:
    """Start a Ray of our own, or join a cluster. Raises InputError for a token that is wrong or missing, Unavailable
    where the cluster does not answer."""
    import ray
    from ray.exceptions import AuthenticationError

    if cluster is None:
        try:
            with without_monitors():
                ray.init(address="local", **settings)
        except Exception as error:  # it has no error of its own for this
            said = (str(error).strip().splitlines() or [type(error).__name__])[-1]
            raise Unavailable(
                f"Ray could not start on this machine: {said}; see that /tmp and /dev/shm have room, and that a "
                "process may open files enough (ulimit -n)"
            ) from None
        return
    try:
        ray.init(address=cluster, **settings)
    except AuthenticationError:
        raise head.refused(cluster) from None
    except ConnectionError as error:
        raise head.away(cluster, str(error)) from None


@contextmanager
def without_monitors() -> Iterator[None]:
    """Keep Ray from starting its autoscaler, which has no machine to add, and its log monitor, which nobody reads.

    They take 0.8 CPU seconds of a short stage. `ray start` has options for it, and `ray.init` has none (2.60). A Ray
    in which the methods have other names starts both.
    """
    node = getattr(sys.modules.get("ray._private.node"), "Node", None)  # a class that Ray keeps to itself
    kept = {name: getattr(node, name) for name in ("start_monitor", "start_log_monitor") if hasattr(node, name)}
    try:
        for name in kept:
            setattr(node, name, lambda *_, **__: None)
        yield
    finally:
        for name, start in kept.items():
            setattr(node, name, start)


@contextmanager
def own_folder() -> Iterator[Path]:
    """A folder for Ray's sessions, after those of killed processes are swept up; gone after the block.

    In /tmp, since Unix sockets allow about 100 characters of path and a worktree's would not fit. A lock says that it
    is in use: in another container that sees this /tmp, processes have other numbers.
    """
    for left in Path("/tmp").glob(f"{PREFIX}*"):
        with suppress(OSError):  # somebody else's
            if left.lstat().st_uid == os.geteuid() and not is_held(left / LOCK):
                shutil.rmtree(left, ignore_errors=True)
    made = Path(tempfile.mkdtemp(prefix=f".{PREFIX}", dir="/tmp"))
    with turn(made / LOCK, "somebody is in a folder of our own"):
        folder = made.rename(made.with_name(made.name.removeprefix(".")))
        try:
            yield folder
        finally:
            shutil.rmtree(folder, ignore_errors=True)


def own(crew: Crew, folder: Path) -> dict[str, Any]:
    """Settings of a Ray of this stage's own. Ray opens its folder to everybody, so it gets one inside of ours."""
    return {
        "num_cpus": crew.workers * crew.threads,
        "object_store_memory": STORE_BYTES,
        "include_dashboard": False,
        "_temp_dir": str(folder / "r"),
    }


def quiet(crew: Crew, sent: Path | None) -> dict[str, Any]:
    return {
        "logging_level": "ERROR",
        "log_to_driver": False,
        "runtime_env": {
            "env_vars": crew.environment,
            "py_executable": python(sent=sent is not None),
            **({"working_dir": str(sent)} if sent else {}),
        },
    }


def interrupt(_signal: int, _frame: FrameType | None) -> None:
    raise KeyboardInterrupt
