"""Checkpoints, training log and weights of a training run whose workers share a disk."""

import json
import os
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from torch import distributed

from tasks.core.files import copy_file, copy_tree, write_json
from tasks.stages.train.coordinator import USER_LINES_FILE
from tasks.stages.train.job import Job
from tasks.stages.train.recovery import checkpoints, watchdog
from tasks.stages.train.recovery.checkpoints import Checkpoint
from tasks.stages.train.workers import gather_from_workers

BEST_FOLDER = "best"
PREEMPTION_CHECK_STEPS = 4
"""Number of steps between two checks for a preemption. A check takes milliseconds, because all workers have to
communicate."""


class TrainingStore:
    """Store of a training run on a disk that all workers share.

    Each worker has its own object, and all workers call each method at the same point.
    """

    def __init__(self, job: Job) -> None:
        self.job = job

    storage_patience_seconds = 0.0
    """Maximum time in seconds that a checkpoint waits for a storage that does not answer."""

    @property
    def creates_folders(self) -> bool:
        """Whether this worker creates the folders that all workers on its disk write to."""
        return distributed.get_rank() == 0

    def newest_checkpoint(self) -> Checkpoint | None:
        """Return the newest undamaged checkpoint, which is the same for every worker."""
        job = self.job
        shared: list[Any] = [None]
        if self.creates_folders:
            shared = [checkpoints.newest_checkpoint(job.checkpoints, job.inputs_digest, self.show_line)]
        if distributed.get_world_size() > 1:
            distributed.broadcast_object_list(shared)
        found: Checkpoint | None = shared[0]
        return found

    def checkpoint_folder(self, step: int) -> Path:
        path = checkpoints.unfinished_folder(self.job.checkpoints, step)
        if self.creates_folders:
            checkpoints.create_empty_folder(path)
        distributed.barrier()
        return path

    def commit_checkpoint(self, path: Path, checkpoint: Checkpoint) -> None:
        """Complete the checkpoint in `path`. Each worker computes the digests of its own files."""
        parts = gather_from_workers(checkpoints.worker_part_digests(path, distributed.get_rank()))
        if self.creates_folders:
            checkpoints.commit_checkpoint(
                path, checkpoint, {name: digest for part in parts for name, digest in part.items()}
            )
        distributed.barrier()

    @property
    def _best_folder(self) -> Path:
        return self.job.scratch / BEST_FOLDER

    def create_best_folder(self) -> Path:
        if distributed.get_rank() == 0:
            checkpoints.create_empty_folder(self._best_folder)
        return self._best_folder

    def add_best_weights_to(self, checkpoint: Path) -> None:
        if distributed.get_rank() == 0:
            link_files(self._best_folder, checkpoint / BEST_FOLDER)

    def restore_best_weights(self, checkpoint: Path) -> None:
        if distributed.get_rank() == 0:
            link_files(checkpoint / BEST_FOLDER, self._best_folder)

    def export_best_weights(self) -> None:
        if distributed.get_rank() == 0:
            link_files(self._best_folder, self.job.weights_folder)
        distributed.barrier()

    def wait_until_stored(self) -> None:
        """Wait until all checkpoints are stored."""

    def begin_log(self, curve: Sequence[dict[str, Any]]) -> None:
        if self.creates_folders:
            self.job.training_log.write_text("".join(json.dumps(point) + "\n" for point in curve))

    def log_step(self, point: dict[str, Any]) -> None:
        if self.creates_folders:
            with self.job.training_log.open("a") as file:
                file.write(json.dumps(point) + "\n")

    def show_line(self, line: str) -> None:
        """Show a line to the user. Output that a worker prints would appear only in Ray's logs."""
        with (self.job.scratch / USER_LINES_FILE).open("a") as file:
            file.write(f"{line}\n")

    def report_end(self, measurements: dict[str, Any]) -> None:
        """Report that this worker has finished. The trained weights are in the job's output folder.

        Args:
            measurements: Peak memory of the worker in bytes, and seconds by part of the training run.
        """
        write_json(self.job.scratch / f"worker-{distributed.get_rank()}.json", measurements)

    def reason_to_end(self, steps: int, is_checkpoint_due: bool) -> str | None:
        """Return the reason to write a checkpoint and end; None to continue. The result is the same for every worker.

        Args:
            steps: Number of completed steps.
            is_checkpoint_due: Whether a checkpoint is written after this step anyway.
        """
        if self._first_worker_finds(self.is_end_requested):
            return "asked to end"
        if self.job.is_on_cluster and steps % PREEMPTION_CHECK_STEPS == 0:
            from ray.train import get_preemption_info

            if get_preemption_info() is not None:
                return "a machine is taken away"
        if is_checkpoint_due and self.job.is_on_cluster and self._first_worker_finds(self.has_more_room):
            return "there is room for more workers"
        return None

    def _first_worker_finds(self, check: Callable[[], bool]) -> bool:
        answers: list[Any] = [check() if distributed.get_rank() == 0 else None]
        if distributed.get_world_size() > 1:
            distributed.broadcast_object_list(answers)
        return bool(answers[0])

    def is_end_requested(self) -> bool:
        """Return whether the stage was asked to end. Only the first worker calls this method."""
        return self.job.end_request_file.exists()

    def has_more_room(self) -> bool:
        """Return whether the cluster has room for more workers. Only the first worker calls this method."""
        return self.job.more_workers_file.exists()

    def stack_destination(self, rank: int) -> watchdog.StackDestination:
        return watchdog.StackDestination(self.job.scratch / f"stack-{rank}.txt")


def link_files(folder: Path, target: Path) -> None:
    """Replace the folder `target` with hard links to the files of `folder`, or copies if links are not possible."""
    shutil.rmtree(target, ignore_errors=True)
    copy_tree(folder, target, copy_one_file=_link)


def _link(source: Path, target: Path) -> None:
    try:
        os.link(source, target)
    except OSError:
        copy_file(source, target)
