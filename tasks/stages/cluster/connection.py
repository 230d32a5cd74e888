"""Connection to Ray: to the cluster at RAY_ADDRESS, or to a private instance on this machine for one stage."""

import os
import secrets
import shutil
import signal
import tempfile
from collections.abc import Iterator
from contextlib import chdir, contextmanager, suppress
from pathlib import Path
from types import FrameType
from typing import Any

from tasks.core.errors import InputError
from tasks.core.machine.locks import hold_exclusive_lock, is_held
from tasks.stages.cluster import cluster_membership, code_copy, head_check, private_instance, raylet
from tasks.stages.cluster.worker_spec import WorkerSpec, worker_python_command

OBJECT_STORE_BYTES = 256 * 1024**2
"""Size of Ray's object store on this machine in bytes. Stages store almost nothing in it."""

SESSION_FOLDER_PREFIX, LOCK_FILE = "hm-r-", "lock"
DEFAULT_RAY_VARIABLES = {
    "RAY_USAGE_STATS_ENABLED": "0",
    "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0",
    "RAY_worker_niceness": "0",  # with Ray's default of 15 a worker gets almost no CPU time on a busy machine
    "RAY_TRAIN_WORKER_GROUP_START_TIMEOUT_S": "600",  # a minute is too short for imports on a busy machine
    "RAY_TRAIN_HEALTH_CHECK_INTERVAL_S": "0.5",  # also the delay until the end of a training is noticed
    "RAY_get_check_signal_interval_milliseconds": "100",  # delay until Ctrl-C is noticed; Ray's default is a second
}
"""Hallmark's defaults for Ray's environment variables. Values that the user has set take precedence."""
PRIVATE_INSTANCE_VARIABLES = private_instance.GCS_PORT_VARIABLES | {
    # This machine receives no preemption notice from a cloud, and the actor that waits for one takes seconds to start.
    "RAY_TRAIN_ENABLE_PREEMPTION_WATCHER": "0",
    # Ray would start a worker for each core at once; a stage uses none of them, since its workers have an interpreter
    # of their own.
    "RAY_prestart_worker_first_driver": "0",
    # Nobody sees the metrics that Ray's processes collect, which takes 4 % of a core.
    "RAY_enable_metrics_collection": "0",
    "RAY_TRAIN_METRICS_ENABLED": "0",
    "REPORTER_UPDATE_INTERVAL_MS": "600000",
}
"""Further defaults for Ray's environment variables, for a private Ray instance only."""
REQUIRED_RAY_VARIABLES = {"RAY_TRAIN_V2_ENABLED": "1"}
"""Ray's environment variables that Hallmark's code needs. They override values that the user has set."""
LOOPBACK_VARIABLES = {"RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER": "0"}
"""Environment variable that makes a private Ray instance listen on 127.0.0.1 only.

On Linux, Ray replaces 127.0.0.1 with the machine's network address and listens on all interfaces. With this variable
Ray expects a single machine, which is its default on Windows and macOS.
"""


def require_gpus(worker_spec: WorkerSpec) -> None:
    """Verify that this machine has a GPU for each worker. Ray itself would wait for missing GPUs forever.

    Raises:
        InputError: The machine has fewer GPUs than workers.
    """
    import ray

    gpus = int(ray.cluster_resources().get("GPU", 0))
    if worker_spec.uses_gpu and gpus < worker_spec.workers:
        raise InputError(
            f"{worker_spec.section}.workers {worker_spec.workers} on device gpu needs as many GPUs, and this machine "
            f"has {gpus}; lower it, set {worker_spec.section}.device to cpu, or name a cluster in RAY_ADDRESS"
        )


@contextmanager
def connect_to_ray(worker_spec: WorkerSpec, without_shared_disk: bool = False) -> Iterator[None]:
    """Connect to Ray during the block. SIGTERM ends the block like Ctrl-C, so that all workers are stopped.

    Args:
        worker_spec: Number and resources of the workers that the stage will start.
        without_shared_disk: Whether the machines of the cluster have no common disk, so that Ray has to send them the
            code.
    """
    cluster = cluster_address()
    for name, value in (
        DEFAULT_RAY_VARIABLES if cluster else DEFAULT_RAY_VARIABLES | PRIVATE_INSTANCE_VARIABLES
    ).items():
        os.environ.setdefault(name, value)
    os.environ.update(raylet.RAYLET_PID_ENVIRONMENT | REQUIRED_RAY_VARIABLES)
    if cluster is None:
        os.environ.update(private_instance_environment())
    import ray  # reads the environment when it is imported

    before = signal.getsignal(signal.SIGTERM)
    try:
        signal.signal(signal.SIGTERM, raise_keyboard_interrupt)
        with ray_session_folder() as folder, join_cluster_if_set(cluster, folder) as with_raylet:
            try:
                with chdir(folder):  # Ray puts the current folder on the import path of its workers
                    sent = code_copy.copy_sources(folder) if without_shared_disk else None
                    init_ray(
                        cluster,
                        init_arguments(worker_spec, sent)
                        | (private_init_arguments(worker_spec, folder) if cluster is None else {}),
                    )
                if cluster is None:
                    require_gpus(worker_spec)
                with raylet.watch_raylet(with_raylet):
                    yield
            finally:
                ray.shutdown(wait_for_processes=True)  # else they write to the folder while it is removed
    finally:
        signal.signal(signal.SIGTERM, before)


@contextmanager
def join_cluster_if_set(cluster: str | None, folder: Path) -> Iterator[bool]:
    """Verify that the cluster answers, and let this machine join it during the block.

    Yields:
        Whether this process started the raylet on this machine. It did for a private Ray instance, and for a cluster
        that the machine had not joined before.
    """
    if cluster is None:
        yield True
        return
    head_check.require_head_reachable(cluster)
    if ways := head_check.security_warning(cluster):
        print(ways, flush=True)
    with cluster_membership.join_cluster(cluster, folder) as own:
        yield own


def cluster_address() -> str | None:
    """Return the cluster's address from RAY_ADDRESS; None if the stage uses a private Ray instance."""
    named = os.environ.get("RAY_ADDRESS")
    return None if named in (None, "", "local") else named


def private_instance_environment() -> dict[str, str]:
    """Return the environment variables of a private Ray instance, with a new secret token.

    The token is passed in the environment, because Ray would otherwise write a token to the user's home folder.
    """
    return {**LOOPBACK_VARIABLES, "RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN": secrets.token_hex(32), "RAY_USE_TLS": "0"}


def init_ray(cluster: str | None, settings: dict[str, Any]) -> None:
    """Connect to the cluster, or start a private Ray instance if `cluster` is None.

    Raises:
        InputError: The token is wrong or missing.
        Unavailable: The cluster does not answer, or the private instance could not start.
    """
    import ray
    from ray.exceptions import AuthenticationError

    if cluster is None:
        private_instance.start_private_instance(settings)
        return
    try:
        ray.init(address=cluster, **settings)
    except AuthenticationError:
        raise head_check.token_error(cluster) from None
    except ConnectionError as error:
        raise head_check.unreachable_error(cluster, str(error)) from None


@contextmanager
def ray_session_folder() -> Iterator[Path]:
    """Create a temporary folder for Ray's session files. Session folders of killed processes are removed first.

    The folder is in /tmp, because the path of a Unix socket is limited to about 100 characters and a worktree's path is
    longer. A lock file shows that a folder is in use. A pid could not show this, because containers that share /tmp
    number their processes independently.
    """
    for left in Path("/tmp").glob(f"{SESSION_FOLDER_PREFIX}*"):
        with suppress(OSError):  # a folder of another user
            if left.lstat().st_uid == os.geteuid() and not is_held(left / LOCK_FILE):
                shutil.rmtree(left, ignore_errors=True)
    made = Path(tempfile.mkdtemp(prefix=f".{SESSION_FOLDER_PREFIX}", dir="/tmp"))
    with hold_exclusive_lock(made / LOCK_FILE, "somebody is in a folder of our own"):
        folder = made.rename(made.with_name(made.name.removeprefix(".")))
        try:
            yield folder
        finally:
            shutil.rmtree(folder, ignore_errors=True)


def private_init_arguments(worker_spec: WorkerSpec, folder: Path) -> dict[str, Any]:
    """Return the arguments of `ray.init` for a private instance.

    Ray makes its temporary folder accessible to all users. It is therefore a subfolder of `folder`, which is private.
    """
    return {
        "num_cpus": worker_spec.workers * worker_spec.threads,
        "object_store_memory": OBJECT_STORE_BYTES,
        "include_dashboard": False,
        "_temp_dir": str(folder / "r"),
    }


def init_arguments(worker_spec: WorkerSpec, sent_code: Path | None) -> dict[str, Any]:
    return {
        "logging_level": "ERROR",
        "log_to_driver": False,
        "runtime_env": {
            "env_vars": worker_spec.environment,
            "py_executable": worker_python_command(is_code_sent=sent_code is not None),
            **({"working_dir": str(sent_code)} if sent_code else {}),
        },
    }


def raise_keyboard_interrupt(_signal: int, _frame: FrameType | None) -> None:
    raise KeyboardInterrupt
