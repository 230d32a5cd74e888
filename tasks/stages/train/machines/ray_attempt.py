"""One attempt of a training run.

Ray Train starts the workers, and its errors are converted to those of `attempts.py`.
"""

import os
import signal
from typing import Any

from tasks.core.errors import HallmarkError, Unavailable
from tasks.stages.cluster import connection
from tasks.stages.cluster.storage.training_storage import MAX_OUTAGE_SECONDS
from tasks.stages.train.job import Job
from tasks.stages.train.machines import sigterm, worker, worker_capacity
from tasks.stages.train.model import builders
from tasks.stages.train.recovery import watchdog
from tasks.stages.train.recovery.attempts import MachinesChanged, OutOfMemory, WorkersLost
from tasks.stages.train.training_store import transfer


def run_attempt(job: Job) -> None:
    """Train on all workers.

    Raises:
        HallmarkError: A worker raised this error.
        WorkersLost: Workers ended, hung, or were lost while they started.
        MachinesChanged: Ray ended the training run because of a preemption.
        OutOfMemory: Ray ended a worker because memory was short.
        Unavailable: Ray could not start the workers.
        TrainingFailedError: A worker failed with another error.
    """
    workers = worker_capacity.wait_for_workers(job)
    with sigterm.end_on_sigterm(job):
        _run_workers(job, workers)


def _run_workers(job: Job, workers: int) -> None:
    from ray.train import ControllerError, TrainingFailedError

    from tasks.stages.train.machines.trainer import SingleMachineTrainer, Trainer  # imports Ray Train

    # Workers wait for each other as long as a first step may take, and longer if files come from remote storage. During
    # training, `watchdog` ends a hanging worker before this limit.
    patience = builders.worker_timeout_seconds(job.training) + (MAX_OUTAGE_SECONDS if job.remote else 0)
    os.environ["RAY_TRAIN_COLLECTIVE_TIMEOUT_S"] = str(patience)
    before = signal.getsignal(signal.SIGINT)
    try:
        with transfer.run_coordinator(job) as given, worker_capacity.seek_more_workers(job, workers):
            (Trainer if connection.cluster_address() else SingleMachineTrainer)(
                worker.run_worker,
                train_loop_config={"job": given, "patience": patience},
                scaling_config=builders.build_scaling_config(job.training, workers, job.unfit_machines),
                run_config=builders.build_run_config(job.scratch),
            ).fit()
    except ControllerError as error:
        needs = builders.build_worker_spec(job.training).resources_text
        why = f"Ray could not start {workers} workers with what each needs ({needs}): {last_line(error)}"
        if worker_capacity.is_elastic(job.training):  # a machine was lost while they started
            raise WorkersLost(why) from None
        raise Unavailable(f"{why}; start the machines, or lower training.workers") from None
    except TrainingFailedError as error:
        raise (
            hallmark_error(error)
            or preemption_error(error)
            or out_of_memory_error(error, job)
            or workers_lost_error(error, job, workers)
            or error
        ) from None
    except SystemExit:  # raised by Ray Train on Ctrl-C, with exit code 0
        raise KeyboardInterrupt from None
    finally:
        signal.signal(signal.SIGINT, before)  # else Ray Train's handler would remain and start another Ray


def preemption_error(error: Any) -> MachinesChanged | None:
    """Return MachinesChanged if Ray ended the training run because of a preemption; None for other errors."""
    from ray.train.v2.api.exceptions import PreemptionError

    return MachinesChanged("a machine was taken away") if isinstance(error, PreemptionError) else None


def hallmark_error(error: Any) -> HallmarkError | None:
    causes = [getattr(failure, "cause", failure) for failure in getattr(error, "worker_failures", {}).values()]
    return next((cause for cause in causes if isinstance(cause, HallmarkError)), None)


def last_line(error: Exception) -> str:
    return str(error).strip().splitlines()[-1][:300]


def out_of_memory_error(error: Any, job: Job) -> OutOfMemory | None:
    """Return OutOfMemory if Ray ended a worker because memory was short; None for other errors.

    If the kernel ended the worker instead, this cannot be detected, and the worker counts as lost.
    """
    if "OutOfMemoryError" not in str(error):
        return None
    return OutOfMemory(f"a worker was ended for want of memory, in passes of {job.training.micro_batch_tokens} tokens")


def workers_lost_error(error: Any, job: Job, workers: int) -> WorkersLost | None:
    """Return WorkersLost if workers ended, hung or were disconnected; None if their own code failed."""
    from ray.exceptions import RayActorError
    from ray.train.v2._internal.exceptions import WorkerHealthCheckFailedError, WorkerHealthCheckTimeoutError

    worker_errors = (RayActorError, WorkerHealthCheckFailedError, WorkerHealthCheckTimeoutError)
    failures = getattr(error, "worker_failures", {})
    dead = {rank: failure for rank, failure in failures.items() if isinstance(failure, worker_errors)}
    if not dead and not (failures and all(_is_lost_peer_error(failure) for failure in failures.values())):
        return None
    where = watchdog.hung_code_lines(job.scratch)
    hang = f"; it took no step for {builders.step_limit_seconds(job.training)} s, and stood at {where}" if where else ""
    return WorkersLost(f"worker {', '.join(map(str, sorted(dead or failures)))} of {workers} was lost{hang}")


def _is_lost_peer_error(failure: Any) -> bool:
    words = str(failure)
    return any(part in words for part in ("Connection closed by peer", "Connection reset", "Timed out", "NCCL"))
