"""Ray: the cluster at RAY_ADDRESS, or a private one on this machine that lives as long as the stage."""

import os
import shutil
import signal
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import Any

from tasks.errors import HallmarkError, Unavailable
from tasks.params import Training
from tasks.train import builders
from tasks.train.examples import Examples
from tasks.train.loop import Job, work

STORE_BYTES = 256 * 1024**2
"""Ray's object store on this machine; it holds the examples and little else."""

PREFIX = "hm-ray-"
SETTINGS = {
    "RAY_USAGE_STATS_ENABLED": "0",
    "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0",
    "RAY_worker_niceness": "0",  # Ray's default of 15 leaves a worker next to nothing of a busy machine
    "RAY_TRAIN_WORKER_GROUP_START_TIMEOUT_S": "600",  # a minute is too short for imports on a busy machine
    "RAY_TRAIN_HEALTH_CHECK_INTERVAL_S": "0.5",  # also how late the end of a training is noticed
}
"""Ray's settings where the person who starts the stage has none of their own."""


def fit(job: Job, examples: Examples) -> None:
    """Train on all workers. Raises the workers' HallmarkError, or Ray's error where one fails otherwise."""
    import ray
    from ray.train import TrainingFailedError
    from ray.train.torch import TorchTrainer

    trainer = TorchTrainer(
        work,
        # In a list: Ray Train would fetch a bare reference on the driver.
        train_loop_config={"job": job, "examples": [ray.put(examples)]},
        scaling_config=builders.scaling_config(job.training),
        run_config=builders.run_config(job.scratch),
    )
    try:
        trainer.fit()
    except TrainingFailedError as error:
        raise (stated(error) or error) from None
    except SystemExit:  # Ray Train's answer to Ctrl-C, with exit code 0
        raise KeyboardInterrupt from None


def stated(error: Any) -> HallmarkError | None:
    """The HallmarkError among the workers' errors, if there is one."""
    causes = [getattr(failure, "cause", failure) for failure in getattr(error, "worker_failures", {}).values()]
    return next((cause for cause in causes if isinstance(cause, HallmarkError)), None)


@contextmanager
def running(training: Training, root: Path) -> Iterator[None]:
    """Connected to Ray inside the block. SIGTERM ends the block like Ctrl-C does, so no worker is left behind."""
    import ray

    for name, value in SETTINGS.items():
        os.environ.setdefault(name, value)
    folder = own_folder()
    before = signal.getsignal(signal.SIGTERM)
    try:
        ray.init(**address(training, folder), **quiet(training, root))
        signal.signal(signal.SIGTERM, interrupt)
        yield
    except ConnectionError as error:
        raise Unavailable(f"Ray does not answer at RAY_ADDRESS={os.environ.get('RAY_ADDRESS')}: {error}") from None
    finally:
        ray.shutdown()
        signal.signal(signal.SIGTERM, before)
        shutil.rmtree(folder, ignore_errors=True)


def own_folder() -> str:
    """A folder for Ray's sessions, after those of killed processes are swept up.

    In /tmp, since Unix sockets allow about 100 characters of path and a worktree's would not fit.
    """
    for left in Path("/tmp").glob(f"{PREFIX}*"):
        owner = left.name.removeprefix(PREFIX).partition("-")[0]
        if owner.isdigit() and not Path("/proc", owner).exists():
            shutil.rmtree(left, ignore_errors=True)
    return tempfile.mkdtemp(prefix=f"{PREFIX}{os.getpid()}-", dir="/tmp")


def address(training: Training, folder: str) -> dict[str, Any]:
    if os.environ.get("RAY_ADDRESS"):
        return {"address": os.environ["RAY_ADDRESS"]}
    return {
        "address": "local",
        "num_cpus": training.workers * training.threads,
        "object_store_memory": STORE_BYTES,
        "include_dashboard": False,
        "_temp_dir": folder,
    }


def quiet(training: Training, root: Path) -> dict[str, Any]:
    return {
        "logging_level": "ERROR",
        "log_to_driver": False,
        "runtime_env": {"env_vars": builders.worker_environment(training, root)},
    }


def interrupt(_signal: int, _frame: FrameType | None) -> None:
    raise KeyboardInterrupt
