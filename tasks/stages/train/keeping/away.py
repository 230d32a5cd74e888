"""Checkpoints, training log and weights of a training whose machines have no disk in common.

A worker writes to the disk of its machine. A thread then stores the worker's part while training continues, and the
next checkpoint waits for it. The coordinator counts a checkpoint once all parts are stored.
"""

import os
import shutil
import threading
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from torch import distributed

from tasks.core.errors import Refused
from tasks.core.files import tree_manifest
from tasks.stages.cluster.storage import node, trees
from tasks.stages.cluster.storage.place import PATIENCE_SECONDS, Place
from tasks.stages.cluster.storage.trees import Tree
from tasks.stages.train.desk import Desk, Stored
from tasks.stages.train.job import Afar, Job
from tasks.stages.train.keeping.home import Home
from tasks.stages.train.recovery import checkpoints, watchdog
from tasks.stages.train.recovery.checkpoints import Checkpoint, part_of, rank_of
from tasks.stages.train.workers import gathered, machine

FOLDERS = ("checkpoints", "output", "scratch")


def of(job: Job) -> Home:
    """Return the storage of a training. If machines share no disk, fetch the model and the rows first."""
    return Home(job) if job.afar is None else Away(job, job.afar)


class Away(Home):
    patience = PATIENCE_SECONDS

    def __init__(self, job: Job, afar: Afar) -> None:
        self.afar, self.place = afar, Place(afar.place)
        self._upload: Upload | None = None
        self.lies_there: frozenset[str] = frozenset()
        """Digests of what this worker stored for the newest checkpoint and need not store again, such as the best
        weights."""
        self._telling: list[Any] = []
        shared: list[Any] = [self.tell_desk("arrive") if distributed.get_rank() == 0 else None]
        distributed.broadcast_object_list(shared)
        self.attempt, self.known = shared[0]
        super().__init__(self._arrived(job))

    def _arrived(self, job: Job) -> Job:
        model, rows = (node.place_of(tree) for tree in (self.afar.model, self.afar.rows))
        of = f"{self.afar.name}-{machine(job)}-"  # several machines may share one home folder
        self.folder = folder = node.cache(node.WORK) / f"{of}{self.attempt}"
        if self.leads:
            for tree in (self.afar.model, self.afar.rows):
                node.fetch(self.place, trees.SHARED, tree)
            node.workspace(folder.name, of)
            for part in FOLDERS:
                (folder / part).mkdir()
        distributed.barrier()
        checkpoints, output, scratch = (folder / part for part in FOLDERS)
        return replace(job, model=model, rows=rows, checkpoints=checkpoints, output=output, scratch=scratch)

    @property
    def leads(self) -> bool:
        return int(os.environ["LOCAL_RANK"]) == 0

    def newest(self) -> Checkpoint | None:
        found = self._sound()
        if distributed.get_rank() == 0:
            self.tell_desk("took", found.step if found else 0)
        return found

    def _sound(self) -> Checkpoint | None:
        for stored in self.known:
            path, here = self.job.checkpoints / f"step-{stored.step:09d}", True
            if self.leads:
                here = self._fetch(stored, path)
            if all(gathered(here)):
                found, _ = checkpoints.read_manifest(path)
                if found.inputs == self.job.inputs:
                    return found
                if distributed.get_rank() == 0:
                    self.say(f"checkpoint {path.name} is {checkpoints.OTHER}; going back to the one before")
        return None

    def _fetch(self, stored: Stored, path: Path) -> bool:
        """Fetch from a checkpoint what the workers of this machine read.

        If another number of workers wrote the checkpoint, that is all of it, since it has to be converted.
        """
        whole = stored.workers != distributed.get_world_size()
        first = distributed.get_rank()
        mine = range(first, first + int(os.environ["LOCAL_WORLD_SIZE"]))  # Ray numbers workers machine by machine
        needed = {name: digest for name, digest in stored.files.items() if whole or rank_of(name) in (None, *mine)}
        try:
            checkpoints.empty(path)
            trees.get(self.place, self.afar.name, needed, path)
        except Refused as error:
            self.say(f"checkpoint {path.name}: {error}; going back to the one before")
            return False
        return True

    def keep(self, path: Path, made: Checkpoint) -> None:
        if distributed.get_rank() == 0:
            checkpoints.write_manifest(path, made, {})  # the coordinator has the digests
        self._upload = Upload(self, path, made.step)
        self._upload.start()

    def aside(self, step: int) -> Path:
        self.settle()
        if self.leads:
            node.in_use(self.job.model, self.job.rows, self.folder)
            for old in self.job.checkpoints.iterdir():
                shutil.rmtree(old)
        return super().aside(step)

    def settle(self) -> None:
        if self._upload:
            self._upload.join()
            if error := self._upload.error:
                raise error
        self._upload = None
        self._heard()
        distributed.barrier()

    def _heard(self) -> None:
        """Raise errors of those calls to the coordinator that did not wait for a result."""
        if self._telling:
            import ray

            ray.get(self._telling)
        self._telling = []

    def begin(self, curve: Sequence[dict[str, Any]]) -> None:
        if distributed.get_rank() == 0:
            self.tell_desk("begin", list(curve))

    def tell(self, point: dict[str, Any]) -> None:
        if distributed.get_rank() == 0 and (told := self.tell_desk("append", point, wait=False)):
            self._telling.append(told)

    def say(self, line: str) -> None:
        self.tell_desk("say", line)

    def more(self) -> bool:
        return bool(self.tell_desk("more"))

    def leave(self) -> bool:
        return bool(self.tell_desk("leave"))

    def finish(self, took: dict[str, Any]) -> None:
        weights: Tree = {}
        if distributed.get_rank() == 0:
            weights = tree_manifest(self.job.output)
            trees.put(self.place, self.afar.name, self.job.output, weights)
        self._heard()
        self.tell_desk("finish", distributed.get_rank(), took, weights)
        distributed.barrier()
        if self.leads:
            shutil.rmtree(self.folder, ignore_errors=True)

    def stack(self, rank: int) -> watchdog.Stack:
        return watchdog.Stack(super().stack(rank).file, lambda stack: self.tell_desk("stood", rank, stack))

    def tell_desk(self, what: str, *given: Any, wait: bool = True) -> Any:
        """Call a method of the coordinator: a Ray actor or, if one worker trains without Ray, a local object."""
        method = getattr(self.afar.desk, what)
        if isinstance(self.afar.desk, Desk):
            return method(*given)
        import ray

        told = method.remote(*given)
        return ray.get(told) if wait else told


class Upload(threading.Thread):
    """Thread that stores this worker's part of a checkpoint."""

    def __init__(self, home: Away, path: Path, step: int) -> None:
        super().__init__(daemon=True)
        self.home, self.path, self.step = home, path, step
        self.error: Exception | None = None

    def run(self) -> None:
        try:
            self._store()
        except Exception as error:  # raised again by `Away.settle`, in the thread that trains
            self.error = error

    def _store(self) -> None:
        rank, size = distributed.get_rank(), distributed.get_world_size()
        part = part_of(self.path, rank)
        fresh = {name: digest for name, digest in part.items() if digest not in self.home.lies_there}
        trees.put(self.home.place, self.home.afar.name, self.path, fresh)
        self.home.lies_there = frozenset(part.values())
        old = self.home.tell_desk("part", self.home.attempt, self.step, rank, size, part)
        if old:
            self.home.place.remove(*(f"{self.home.afar.name}/{digest}" for digest in old))
