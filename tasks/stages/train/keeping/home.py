"""Checkpoints, record and weights of a training whose workers all see one disk."""

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
"""Steps between two looks whether a machine is taken away: all workers have to agree, which takes milliseconds."""


class Home:
    """Every worker has one, and calls each method at the same place."""

    def __init__(self, job: Job) -> None:
        self.job = job
        """Its folders are this worker's."""

    patience = 0.0
    """Seconds that a checkpoint may wait for what it is written to."""

    @property
    def leads(self) -> bool:
        """Whether this worker makes the folders that others of its disk write to."""
        return distributed.get_rank() == 0

    def newest(self) -> Checkpoint | None:
        """The newest sound checkpoint, the same for every worker."""
        job = self.job
        shared: list[Any] = [None]
        if self.leads:
            shared = [checkpoints.newest(job.checkpoints, job.inputs, self.say)]
        if distributed.get_world_size() > 1:
            distributed.broadcast_object_list(shared)
        found: Checkpoint | None = shared[0]
        return found

    def aside(self, step: int) -> Path:
        """The folder that the checkpoint of `step` is written to."""
        path = checkpoints.aside(self.job.checkpoints, step)
        if self.leads:
            checkpoints.empty(path)
        distributed.barrier()
        return path

    def keep(self, path: Path, made: Checkpoint) -> None:
        """What every worker has written there is a checkpoint. Each makes the digests of its own files."""
        parts = gathered(checkpoints.part_of(path, distributed.get_rank()))
        if self.leads:
            checkpoints.commit(path, made, {name: digest for part in parts for name, digest in part.items()})
        distributed.barrier()

    @property
    def _best(self) -> Path:
        """The weights with the lowest validation loss until now, on the disk of the first worker."""
        return self.job.scratch / BEST

    def fresh_best(self) -> Path:
        """An empty folder for weights that are better."""
        if distributed.get_rank() == 0:
            checkpoints.empty(self._best)
        return self._best

    def put_best(self, checkpoint: Path) -> None:
        """The best weights until now are part of the checkpoint that is written."""
        if distributed.get_rank() == 0:
            linked(self._best, checkpoint / BEST)

    def go_on_with_best(self, checkpoint: Path) -> None:
        """They are those of a checkpoint."""
        if distributed.get_rank() == 0:
            linked(checkpoint / BEST, self._best)

    def take_best(self) -> None:
        """They are the trained weights."""
        if distributed.get_rank() == 0:
            linked(self._best, self.job.output)
        distributed.barrier()

    def settle(self) -> None:
        """Wait until what was kept is stored."""

    def begin(self, curve: Sequence[dict[str, Any]]) -> None:
        """The record begins with the steps that are done."""
        if self.leads:
            self.job.record.write_text("".join(json.dumps(point) + "\n" for point in curve))

    def tell(self, point: dict[str, Any]) -> None:
        """A step is done."""
        if self.leads:
            with self.job.record.open("a") as file:
                file.write(json.dumps(point) + "\n")

    def say(self, line: str) -> None:
        """A worker's own output goes to a log of Ray's; this is shown to a person."""
        with (self.job.scratch / SAID).open("a") as file:
            file.write(f"{line}\n")

    def finish(self, took: dict[str, Any]) -> None:
        """The weights lie in the job's output; `took`: the bytes and seconds that this worker did."""
        write_json(self.job.scratch / f"worker-{distributed.get_rank()}.json", took)

    def change(self, steps: int, due: bool) -> str | None:
        """Why the workers are to end after a checkpoint, the same for every worker; None where they are to go on.
        `due`: a checkpoint is written anyway."""
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
        """What the first worker finds, told to all."""
        told: list[Any] = [what() if distributed.get_rank() == 0 else None]
        if distributed.get_world_size() > 1:
            distributed.broadcast_object_list(told)
        return bool(told[0])

    def leave(self) -> bool:
        """Whether the workers are to end, since the stage is asked to. Asked by the first."""
        return self.job.leave.exists()

    def more(self) -> bool:
        """Whether the cluster has room for more workers. Asked by the first."""
        return self.job.more.exists()

    def stack(self, rank: int) -> watchdog.Stack:
        """Where the watchdog leaves where this worker stood."""
        return watchdog.Stack(self.job.scratch / f"stack-{rank}.txt")


def linked(folder: Path, target: Path) -> None:
    """The files of a folder are in another one of the same disk as well, in place of what that had."""
    shutil.rmtree(target, ignore_errors=True)
    copy_tree(folder, target, copy=_link)


def _link(source: Path, target: Path) -> None:
    """The same file under another name; a copy where the disk has no such links."""
    try:
        os.link(source, target)
    except OSError:
        copy(source, target)
