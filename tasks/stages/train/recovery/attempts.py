"""Attempts of a training run. It continues after lost or hung workers, lack of memory and diverged steps.

Every attempt continues from the last checkpoint. An error that a person has to correct ends the training run at once.
"""

import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from tasks.core.errors import DOCUMENT_ERRORS, HallmarkError, InputError, Refused, Unavailable
from tasks.core.files import read_json, write_json
from tasks.core.progress import print_progress
from tasks.stages.train import log_follower
from tasks.stages.train.coordinator import read_stored_checkpoints
from tasks.stages.train.job import Job
from tasks.stages.train.recovery import checkpoints

MIN_PASS_TOKENS = 16
"""Minimum number of tokens in a forward pass, which is also the minimum in the parameters."""
FAILURES_FILE = "attempts.json"
"""Name of the file, next to the checkpoints, with the failures so far. A resumed training run reads this file."""


class OutOfMemory(Unavailable):
    """Raised if a worker's device has too little memory for a forward pass."""


class Diverged(InputError):
    """Error if the loss of a step is not finite or has jumped."""

    def __init__(self, message: str, number: int) -> None:
        super().__init__(message, number)
        self.message, self.number = message, number

    def __str__(self) -> str:
        return self.message


class WorkersLost(Unavailable):
    """Error that is raised if workers have ended or no longer respond."""


class UnfitMachines(InputError):
    """Error if machines cannot train with the others."""

    def __init__(self, message: str, machines: tuple[str, ...], remaining_workers: int) -> None:
        """Create the error.

        Args:
            message: Message for the user.
            machines: Ray's ids of the unfit machines.
            remaining_workers: Number of workers on other machines.
        """
        super().__init__(message, machines, remaining_workers)
        self.message, self.machines, self.remaining_workers = message, machines, remaining_workers

    def __str__(self) -> str:
        return self.message


class MachinesChanged(WorkersLost):
    """Error if the workers have ended right after a checkpoint, so that no progress is lost.

    The reason is a preemption, room for more workers, or a request to end the stage.
    """


@dataclass(frozen=True)
class Failure:
    reason: str
    step: int
    seconds: float
    """Lost time in seconds: work that has to be repeated, and the time before the attempt's first step."""
    micro_batch_tokens: int
    """Maximum number of tokens in a forward pass of the next attempt."""
    skipped: int | None = None
    """Step, counted from 0, that later attempts skip; None unless training has diverged."""


def read_failures(folder: Path) -> list[Failure]:
    """Return the failures so far, oldest first."""
    file = folder / FAILURES_FILE
    if not file.is_file():
        return []
    try:
        return [Failure(**each) for each in read_json(file)]
    except DOCUMENT_ERRORS:
        raise Refused(f"{file} is not as it was written; remove the folder to begin anew") from None


def train_until_done(job: Job, run_attempt: Callable[[Job], None]) -> list[Failure]:
    """Call `run_attempt` until it succeeds, and return the failures, oldest first.

    Raises:
        HallmarkError: An attempt raised an error that a person has to correct.
        WorkersLost: Workers were lost more often than `training.max_failures` allows.
        UnfitMachines: Unfit machines were found more often than `training.max_failures` allows, or too few workers are
            left.
        OutOfMemory: The smallest possible forward pass does not fit into memory.
    """
    failures = read_failures(job.checkpoints)
    if failures:
        job = with_pass_tokens(job, failures[-1].micro_batch_tokens)
        job = replace(job, skipped_steps=tuple(each.skipped for each in failures if each.skipped is not None))
        if len(job.skipped_steps) > job.training.max_skipped_steps:
            raise Refused(
                f"{job.checkpoints / FAILURES_FILE} leaves out more steps than training.max_skipped_steps; remove it"
            )
    lost = apart = 0
    while True:
        began, before = time.monotonic(), job.skipped_steps
        remove_attempt_files(job)
        try:
            run_attempt(job)
            return failures
        except OutOfMemory as error:
            job, reason = with_halved_passes(job, error), str(error)
        except Diverged as error:
            if len(job.skipped_steps) >= job.training.max_skipped_steps:
                raise
            job, reason = replace(job, skipped_steps=(*job.skipped_steps, error.number)), f"{error}; it is left out"
        except UnfitMachines as error:
            apart += 1  # an autoscaler could start such machines again and again
            if apart > job.training.max_failures:
                raise
            job, reason = without_machines(job, error), f"{error}; training leaves it out"
        except MachinesChanged as error:
            reason = str(error)
        except WorkersLost as error:
            lost, reason = lost + 1, str(error)
            if lost > job.training.max_failures:
                raise WorkersLost(
                    f"{error}; that was loss {lost}, and training.max_failures is {job.training.max_failures}. "
                    "Checkpoints are kept: run again to go on from the last"
                ) from None
        newly = job.skipped_steps[-1] if job.skipped_steps != before else None
        failures.append(create_failure(job, reason, time.monotonic() - began, newly))
        write_json(job.checkpoints / FAILURES_FILE, [asdict(each) for each in failures])
        print_progress("train", f"{reason}; going on from the last checkpoint")


def remove_attempt_files(job: Job) -> None:
    for stale in (job.training_log, *job.scratch.glob("stack-*.txt")):
        stale.unlink(missing_ok=True)


def create_failure(job: Job, reason: str, seconds: float, skipped_step: int | None) -> Failure:
    """Return the failure of this attempt.

    The lost time includes the time after the last checkpoint and the time in which no step was taken.
    """
    points = log_follower.read_log(job.training_log)
    useful = log_follower.total_seconds(points[: count_checkpointed_steps(job)])
    lost = round(max(0.0, seconds - useful), 1)
    return Failure(reason, len(points), lost, job.training.micro_batch_tokens, skipped_step)


def count_checkpointed_steps(job: Job) -> int:
    newest = (
        next(iter(read_stored_checkpoints(job.checkpoints)), None)
        if job.remote
        else checkpoints.newest_checkpoint(job.checkpoints, job.inputs_digest)
    )
    return newest.step if newest else 0


def with_pass_tokens(job: Job, tokens: int) -> Job:
    return replace(job, training=job.training.model_copy(update={"micro_batch_tokens": tokens}))


def with_halved_passes(job: Job, error: HallmarkError) -> Job:
    """Return the job with half as many tokens in a forward pass.

    Raises:
        OutOfMemory: The longest row does not fit into memory, even as the only row of a pass.
    """
    tokens, least = job.training.micro_batch_tokens // 2, longest_row_tokens(job)
    if job.training.micro_batch_tokens <= max(-(-least // job.training.sequence_parallel), MIN_PASS_TOKENS):
        raise OutOfMemory(
            f"{error}, even for the longest row alone ({least} tokens); set training.gradient_checkpointing, a higher "
            "training.zero_stage or training.offload: `hallmark preflight` says what would fit"
        ) from None
    return with_pass_tokens(job, max(tokens, MIN_PASS_TOKENS))


def without_machines(job: Job, error: UnfitMachines) -> Job:
    """Return the job without the unfit machines.

    Raises:
        UnfitMachines: Too few workers are left, or one of the machines was excluded before.
    """
    if error.remaining_workers < (job.training.least_workers or job.training.workers) or {*error.machines} & {
        *job.unfit_machines
    }:
        raise error
    return replace(job, unfit_machines=(*job.unfit_machines, *error.machines))


def longest_row_tokens(job: Job) -> int:
    return (
        int(read_json(job.rows / "result.json")["longest"]) if (job.rows / "result.json").is_file() else MIN_PASS_TOKENS
    )
