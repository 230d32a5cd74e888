"""Checkpoints, training log and weights of a training whose workers share a disk."""

import json
import os
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from torch import distributed

from tasks.core.files import copy, copy_tree, write_json
from tasks.stages.train.desk import SAID
from tasks.stages.train.job import Job
from tasks.stages.train.recovery import checkpoints, watchdog
from tasks.stages.train.recovery.checkpoints import Checkpoint
from tasks.stages.train.workers import gathered

BEST = "best"
"""Folder of the best weights, in a checkpoint and in the scratch folder."""
NOTICE_STEPS = 4
"""Number of steps between two checks for a preemption. All workers have to agree, which takes milliseconds."""


class Home:
    """Storage of a training on a disk that all workers share.

    Every worker has one and calls each method at the same point.
    """

    def __init__(self, job: Job) -> None:
        self.job = job
        """Job with the folders that this worker uses."""

    patience = 0.0
    """Seconds that a checkpoint may wait because the storage does not answer."""

    @property
    def leads(self) -> bool:
        """Whether this worker creates the folders that all workers on its disk write to."""
        return distributed.get_rank() == 0

    def newest(self) -> Checkpoint | None:
        """Return the newest undamaged checkpoint, the same on every worker."""
        job = self.job
        shared: list[Any] = [None]
        if self.leads:
            shared = [checkpoints.newest(job.checkpoints, job.inputs, self.say)]
        if distributed.get_world_size() > 1:
            distributed.broadcast_object_list(shared)
        found: Checkpoint | None = shared[0]
        return found

    def aside(self, step: int) -> Path:
        """Empty and return the folder that the checkpoint of `step` is written to."""
        path = checkpoints.aside(self.job.checkpoints, step)
        if self.leads:
            checkpoints.empty(path)
        distributed.barrier()
        return path

    def keep(self, path: Path, made: Checkpoint) -> None:
        """Turn the files that all workers wrote to `path` into a checkpoint. Each worker digests its own files."""
        parts = gathered(checkpoints.part_of(path, distributed.get_rank()))
        if self.leads:
            checkpoints.commit(path, made, {name: digest for part in parts for name, digest in part.items()})
        distributed.barrier()

    @property
    def _best(self) -> Path:
        """Folder of the weights with the lowest validation loss so far, on the disk of the first worker."""
        return self.job.scratch / BEST

    def fresh_best(self) -> Path:
        """Empty and return the folder of the best weights, for better ones."""
        if distributed.get_rank() == 0:
            checkpoints.empty(self._best)
        return self._best

    def put_best(self, checkpoint: Path) -> None:
        """Add the best weights so far to the checkpoint that is being written."""
        if distributed.get_rank() == 0:
            linked(self._best, checkpoint / BEST)

    def go_on_with_best(self, checkpoint: Path) -> None:
        """Take the best weights so far from a checkpoint."""
        if distributed.get_rank() == 0:
            linked(checkpoint / BEST, self._best)

    def take_best(self) -> None:
        """Use the best weights as the result of the training."""
        if distributed.get_rank() == 0:
            linked(self._best, self.job.output)
        distributed.barrier()

    def settle(self) -> None:
        """Wait until the checkpoints are stored."""

    def begin(self, curve: Sequence[dict[str, Any]]) -> None:
        """Begin the training log with the steps of the checkpoint that the training is resumed from."""
        if self.leads:
            self.job.record.write_text("".join(json.dumps(point) + "\n" for point in curve))

    def tell(self, point: dict[str, Any]) -> None:
        """Append a step to the training log."""
        if self.leads:
            with self.job.record.open("a") as file:
                file.write(json.dumps(point) + "\n")

    def say(self, line: str) -> None:
        """Show a line to the user. A worker's own output would go to one of Ray's logs."""
        with (self.job.scratch / SAID).open("a") as file:
            file.write(f"{line}\n")

    def finish(self, took: dict[str, Any]) -> None:
        """Report the end of this worker, with the trained weights in the job's output folder.

        `took` has the worker's peak memory in bytes and seconds by part.
        """
        write_json(self.job.scratch / f"worker-{distributed.get_rank()}.json", took)

    def change(self, steps: int, due: bool) -> str | None:
        """Return why the workers have to write a checkpoint and end, the same on every worker; None if they continue.

        `due` is true if a checkpoint is written after this step anyway.
        """
        if self._first_finds(self.leave):
            return "asked to end"
        if self.job.notices and steps % NOTICE_STEPS == 0:
            from ray.train import get_preemption_info

            if get_preemption_info() is not None:
                return "a machine is taken away"
        if due and self.job.notices and self._first_finds(self.more):
            return "there is room for more workers"
        return None

    def _first_finds(self, what: Callable[[], bool]) -> bool:
        told: list[Any] = [what() if distributed.get_rank() == 0 else None]
        if distributed.get_world_size() > 1:
            distributed.broadcast_object_list(told)
        return bool(told[0])

    def leave(self) -> bool:
        """Return whether the workers have to end because the stage was asked to. The first worker calls it."""
        return self.job.leave.exists()

    def more(self) -> bool:
        """Return whether the cluster has room for more workers. The first worker calls it."""
        return self.job.more.exists()

    def stack(self, rank: int) -> watchdog.Stack:
        """Return the destination to which the watchdog writes this worker's stack."""
        return watchdog.Stack(self.job.scratch / f"stack-{rank}.txt")


def linked(folder: Path, target: Path) -> None:
    """Hard-link the files of `folder` into `target` on the same disk, in place of what `target` contains."""
    shutil.rmtree(target, ignore_errors=True)
    copy_tree(folder, target, copy=_link)


def _link(source: Path, target: Path) -> None:
    try:
        os.link(source, target)
    except OSError:
        copy(source, target)
