"""Ray: the cluster at RAY_ADDRESS, or a private one on this machine that lives as long as the stage."""

import os
import secrets
import shutil
import signal
import tempfile
from collections.abc import Iterator
from contextlib import chdir, contextmanager
from pathlib import Path
from types import FrameType
from typing import Any

from tasks.core.errors import HallmarkError, InputError, Unavailable
from tasks.core.params.training import Training
from tasks.stages.train import builders
from tasks.stages.train.job import Job
from tasks.stages.train.keeping import sent
from tasks.stages.train.machines import head, member, places
from tasks.stages.train.recovery import watchdog
from tasks.stages.train.recovery.attempts import MachinesChange, OutOfMemory, WorkersLost
from tasks.stages.train.storage.place import PATIENCE_SECONDS

STORE_BYTES = 256 * 1024**2
"""Ray's object store on this machine; it holds next to nothing."""

PREFIX = "hm-ray-"
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
}
"""The same for a Ray of this stage's own."""
LOOPBACK = {"RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER": "0"}
"""Ray replaces 127.0.0.1 by the machine's outward address, and listens on all interfaces, unless this says, as it does
on other systems by default, that no other machine takes part."""


def fit(job: Job) -> None:
    """Train on all workers. Raises the workers' HallmarkError, WorkersLost where some are gone, Ray's error where one
    fails otherwise."""
    from ray.train import ControllerError, TrainingFailedError
    from ray.train.torch import TorchTrainer

    from tasks.stages.train.loop import work  # imports torch

    workers = places.wait_for(job.training)
    try:
        with sent.at_the_desk(job) as given, places.looked_for(job, workers):
            TorchTrainer(
                work,
                train_loop_config={"job": given},
                scaling_config=builders.scaling_config(job.training, workers),
                run_config=builders.run_config(job.scratch),
                torch_config=builders.torch_config(job.training, PATIENCE_SECONDS if job.afar else 0),
            ).fit()
    except ControllerError as error:
        why = f"Ray could not start {workers} workers with what each needs ({_needs(job.training)}): {last_line(error)}"
        if places.elastic(job.training):  # a machine went as they started
            raise WorkersLost(why) from None
        raise Unavailable(f"{why}; start the machines, or lower training.workers") from None
    except TrainingFailedError as error:
        raise (stated(error) or taken_back(error) or short(error, job) or lost(error, job, workers) or error) from None
    except SystemExit:  # Ray Train's answer to Ctrl-C, with exit code 0
        raise KeyboardInterrupt from None


def taken_back(error: Any) -> MachinesChange | None:
    """Where Ray ended a training since a machine was taken away, before the workers could themselves."""
    from ray.train.v2.api.exceptions import PreemptionError

    return MachinesChange("a machine was taken away") if isinstance(error, PreemptionError) else None


def stated(error: Any) -> HallmarkError | None:
    """The HallmarkError among the workers' errors, if there is one."""
    causes = [getattr(failure, "cause", failure) for failure in getattr(error, "worker_failures", {}).values()]
    return next((cause for cause in causes if isinstance(cause, HallmarkError)), None)


def _needs(training: Training) -> str:
    return f"{training.threads} CPUs" + (" and a GPU" if training.device == "gpu" else "")


def last_line(error: Exception) -> str:
    return str(error).strip().splitlines()[-1][:300]


def short(error: Any, job: Job) -> OutOfMemory | None:
    """Where Ray ended a worker for its memory. The system's own end of it looks like any other loss."""
    if "OutOfMemoryError" not in str(error):
        return None
    return OutOfMemory(f"a worker was ended for want of memory, in passes of {job.training.micro_batch_tokens} tokens")


def require_devices(training: Training) -> None:
    """Raises InputError where a Ray of this stage's own has too few GPUs: it would wait for them for ever."""
    import ray

    there = int(ray.cluster_resources().get("GPU", 0))
    if training.device == "gpu" and there < training.workers:
        raise InputError(
            f"training.workers {training.workers} on device gpu needs as many GPUs, and this machine has {there}; "
            "lower it, set training.device to cpu, or name a cluster in RAY_ADDRESS"
        )


def lost(error: Any, job: Job, workers: int) -> WorkersLost | None:
    """Where workers died, were cut off or hung: what is known of it. None where their own code failed."""
    from ray.exceptions import RayActorError
    from ray.train.v2._internal.exceptions import WorkerHealthCheckFailedError, WorkerHealthCheckTimeoutError

    gone = (RayActorError, WorkerHealthCheckFailedError, WorkerHealthCheckTimeoutError)
    failures = getattr(error, "worker_failures", {})
    dead = {rank: failure for rank, failure in failures.items() if isinstance(failure, gone)}
    if not dead and not (failures and all(_of_another(failure) for failure in failures.values())):
        return None
    where = watchdog.stacks(job.scratch)
    told = f"; it took no step for {job.training.hang_seconds} s, and stood at {where}" if where else ""
    return WorkersLost(f"worker {', '.join(map(str, sorted(dead or failures)))} of {workers} was lost{told}")


def _of_another(failure: Any) -> bool:
    """gloo and NCCL say that the connection to another worker broke, or that they waited too long."""
    words = str(failure)
    return any(said in words for said in ("Connection closed by peer", "Connection reset", "Timed out", "NCCL"))


@contextmanager
def running(training: Training, apart: bool = False) -> Iterator[None]:
    """Connected to Ray inside the block. SIGTERM ends the block like Ctrl-C does, so no worker is left behind.

    `apart`: the machines of the cluster have no disk in common, and are sent the code."""
    cluster = cluster_address()
    for name, value in (SETTINGS if cluster else SETTINGS | OWN_SETTINGS).items():
        os.environ.setdefault(name, value)
    if cluster is None:
        os.environ.update(closed())
    import ray  # reads the environment when it is imported

    folder = own_folder()
    before = signal.getsignal(signal.SIGTERM)
    try:
        signal.signal(signal.SIGTERM, interrupt)
        with membership(cluster, Path(folder)):
            with chdir(folder):  # Ray has its workers import what lies in the folder that it is called from
                code = sent.code(Path(folder)) if apart else None
                connect(cluster, quiet(training, code) | (own(training, folder) if cluster is None else {}))
            if cluster is None:
                require_devices(training)
            yield
            ray.shutdown()
    finally:
        ray.shutdown()
        signal.signal(signal.SIGTERM, before)
        shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def membership(cluster: str | None, folder: Path) -> Iterator[None]:
    """With a cluster: it is there, and this machine is one of it."""
    if cluster is None:
        yield
        return
    head.require(cluster)
    with member.of(cluster, folder):
        yield


def cluster_address() -> str | None:
    """Where RAY_ADDRESS says that a cluster is; None for a Ray of this stage's own."""
    named = os.environ.get("RAY_ADDRESS")
    return None if named in (None, "", "local") else named


def closed() -> dict[str, str]:
    """The environment of a Ray of this stage's own: on loopback, and with a token that nobody else is told.

    Given by the environment, the token is written nowhere; without one Ray puts one into the user's home.
    """
    return {**LOOPBACK, "RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN": secrets.token_hex(32)}


def connect(cluster: str | None, settings: dict[str, Any]) -> None:
    """Start a Ray of our own, or join a cluster. Raises InputError for a token that is wrong or missing, Unavailable
    where the cluster does not answer."""
    import ray
    from ray.exceptions import AuthenticationError

    if cluster is None:
        ray.init(address="local", **settings)
        return
    try:
        ray.init(address=cluster, **settings)
    except AuthenticationError:
        raise head.refused(cluster) from None
    except ConnectionError as error:
        raise head.away(cluster, str(error)) from None


def own_folder() -> str:
    """A folder for Ray's sessions, after those of killed processes are swept up.

    In /tmp, since Unix sockets allow about 100 characters of path and a worktree's would not fit.
    """
    for left in Path("/tmp").glob(f"{PREFIX}*"):
        owner = left.name.removeprefix(PREFIX).partition("-")[0]
        if owner.isdigit() and not Path("/proc", owner).exists():
            shutil.rmtree(left, ignore_errors=True)
    return tempfile.mkdtemp(prefix=f"{PREFIX}{os.getpid()}-", dir="/tmp")


def own(training: Training, folder: str) -> dict[str, Any]:
    """Settings of a Ray of this stage's own."""
    return {
        "num_cpus": training.workers * training.threads,
        "object_store_memory": STORE_BYTES,
        "include_dashboard": False,
        "_temp_dir": folder,
    }


def quiet(training: Training, code: Path | None) -> dict[str, Any]:
    return {
        "logging_level": "ERROR",
        "log_to_driver": False,
        "runtime_env": {
            "env_vars": builders.worker_environment(training),
            "py_executable": builders.worker_python(sent=code is not None),
            **({"working_dir": str(code)} if code else {}),
        },
    }


def interrupt(_signal: int, _frame: FrameType | None) -> None:
    raise KeyboardInterrupt
