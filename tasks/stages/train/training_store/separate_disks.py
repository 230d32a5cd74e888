"""Checkpoints, training log and weights of a training run whose machines have no disk in common.

A worker writes its part of a checkpoint to its machine's disk. A thread then uploads the part while training continues.
The next checkpoint waits for the upload. The coordinator regards a checkpoint as complete once all parts are uploaded.
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
from tasks.stages.cluster.storage import machine_cache, trees
from tasks.stages.cluster.storage.training_storage import MAX_OUTAGE_SECONDS, TrainingStorage
from tasks.stages.cluster.storage.trees import Tree
from tasks.stages.train.coordinator import Coordinator, StoredCheckpoint
from tasks.stages.train.job import Job, RemoteStorage
from tasks.stages.train.recovery import checkpoints, watchdog
from tasks.stages.train.recovery.checkpoints import Checkpoint, rank_of_file, worker_part_digests
from tasks.stages.train.training_store.shared_disk import TrainingStore
from tasks.stages.train.workers import gather_from_workers, machine_id

WORK_SUBFOLDERS = ("checkpoints", "output", "scratch")


def open_store(job: Job) -> TrainingStore:
    """Return the store of a training run. If the machines share no disk, the model and the rows are fetched first."""
    return TrainingStore(job) if job.remote is None else RemoteTrainingStore(job, job.remote)


class RemoteTrainingStore(TrainingStore):
    storage_patience_seconds = MAX_OUTAGE_SECONDS

    def __init__(self, job: Job, remote: RemoteStorage) -> None:
        self.remote, self.place = remote, TrainingStorage(remote.location)
        self._upload: UploadThread | None = None
        self.stored_digests: frozenset[str] = frozenset()
        """Digests of the files that this worker stored for the newest checkpoint. Files that have not changed, such as
        the best weights, are not stored again."""
        self._pending_calls: list[Any] = []
        shared: list[Any] = [self.call_coordinator("begin_attempt") if distributed.get_rank() == 0 else None]
        distributed.broadcast_object_list(shared)
        self.attempt, self.stored_checkpoints = shared[0]
        super().__init__(self._fetch_inputs(job))

    def _fetch_inputs(self, job: Job) -> Job:
        model, rows = (
            machine_cache.cached_tree_folder(tree) for tree in (self.remote.model_files, self.remote.row_files)
        )
        of = f"{self.remote.folder_name}-{machine_id(job)}-"  # several machines may share one home folder
        self.folder = folder = machine_cache.cache_folder(machine_cache.WORK_FOLDER) / f"{of}{self.attempt}"
        if self.creates_folders:
            for tree in (self.remote.model_files, self.remote.row_files):
                machine_cache.fetch_tree(self.place, trees.SHARED_FOLDER, tree)
            machine_cache.create_work_folder(folder.name, of)
            for part in WORK_SUBFOLDERS:
                (folder / part).mkdir()
        distributed.barrier()
        checkpoints, output, scratch = (folder / part for part in WORK_SUBFOLDERS)
        return replace(job, model=model, rows=rows, checkpoints=checkpoints, weights_folder=output, scratch=scratch)

    @property
    def creates_folders(self) -> bool:
        return int(os.environ["LOCAL_RANK"]) == 0

    def newest_checkpoint(self) -> Checkpoint | None:
        found = self._newest_usable()
        if distributed.get_rank() == 0:
            self.call_coordinator("remove_newer_checkpoints", found.step if found else 0)
        return found

    def _newest_usable(self) -> Checkpoint | None:
        for stored in self.stored_checkpoints:
            path, here = self.job.checkpoints / f"step-{stored.step:09d}", True
            if self.creates_folders:
                here = self._fetch(stored, path)
            if all(gather_from_workers(here)):
                found, _ = checkpoints.read_manifest(path)
                if found.inputs == self.job.inputs_digest:
                    return found
                if distributed.get_rank() == 0:
                    self.show_line(
                        f"checkpoint {path.name} is {checkpoints.OTHER_TRAINING_TEXT}; going back to the one before"
                    )
        return None

    def _fetch(self, stored: StoredCheckpoint, path: Path) -> bool:
        """Fetch the files of a checkpoint that this machine's workers read, and return whether this succeeded.

        If the checkpoint was written by another number of workers, all files are fetched, because it has to be
        converted.
        """
        whole = stored.workers != distributed.get_world_size()
        first = distributed.get_rank()
        mine = range(first, first + int(os.environ["LOCAL_WORLD_SIZE"]))  # Ray numbers workers machine by machine
        needed = {name: digest for name, digest in stored.files.items() if whole or rank_of_file(name) in (None, *mine)}
        try:
            checkpoints.create_empty_folder(path)
            trees.fetch_tree(self.place, self.remote.folder_name, needed, path)
        except Refused as error:
            self.show_line(f"checkpoint {path.name}: {error}; going back to the one before")
            return False
        return True

    def commit_checkpoint(self, path: Path, checkpoint: Checkpoint) -> None:
        if distributed.get_rank() == 0:
            checkpoints.write_manifest(path, checkpoint, {})  # the coordinator has the digests
        self._upload = UploadThread(self, path, checkpoint.step)
        self._upload.start()

    def checkpoint_folder(self, step: int) -> Path:
        self.wait_until_stored()
        if self.creates_folders:
            machine_cache.mark_folders_used(self.job.model, self.job.rows, self.folder)
            for old in self.job.checkpoints.iterdir():
                shutil.rmtree(old)
        return super().checkpoint_folder(step)

    def wait_until_stored(self) -> None:
        if self._upload:
            self._upload.join()
            if error := self._upload.error:
                raise error
        self._upload = None
        self._raise_call_errors()
        distributed.barrier()

    def _raise_call_errors(self) -> None:
        if self._pending_calls:
            import ray

            ray.get(self._pending_calls)
        self._pending_calls = []

    def begin_log(self, curve: Sequence[dict[str, Any]]) -> None:
        if distributed.get_rank() == 0:
            self.call_coordinator("begin_log", list(curve))

    def log_step(self, point: dict[str, Any]) -> None:
        if distributed.get_rank() == 0 and (call := self.call_coordinator("append_to_log", point, wait=False)):
            self._pending_calls.append(call)

    def show_line(self, line: str) -> None:
        self.call_coordinator("show_line", line)

    def has_more_room(self) -> bool:
        return bool(self.call_coordinator("has_more_room"))

    def is_end_requested(self) -> bool:
        return bool(self.call_coordinator("is_end_requested"))

    def report_end(self, measurements: dict[str, Any]) -> None:
        weights: Tree = {}
        if distributed.get_rank() == 0:
            weights = tree_manifest(self.job.weights_folder)
            trees.store_tree(self.place, self.remote.folder_name, self.job.weights_folder, weights)
        self._raise_call_errors()
        self.call_coordinator("report_end", distributed.get_rank(), measurements, weights)
        distributed.barrier()
        if self.creates_folders:
            shutil.rmtree(self.folder, ignore_errors=True)

    def stack_destination(self, rank: int) -> watchdog.StackDestination:
        return watchdog.StackDestination(
            super().stack_destination(rank).file, lambda stack: self.call_coordinator("write_stack", rank, stack)
        )

    def call_coordinator(self, method_name: str, *given: Any, wait: bool = True) -> Any:
        """Call a method of the coordinator. Without Ray, the coordinator is a local object, otherwise a Ray actor."""
        method = getattr(self.remote.coordinator, method_name)
        if isinstance(self.remote.coordinator, Coordinator):
            return method(*given)
        import ray

        call = method.remote(*given)
        return ray.get(call) if wait else call


class UploadThread(threading.Thread):
    def __init__(self, store: RemoteTrainingStore, path: Path, step: int) -> None:
        super().__init__(daemon=True)
        self.home, self.path, self.step = store, path, step
        self.error: Exception | None = None

    def run(self) -> None:
        try:
            self._store()
        except Exception as error:  # raised again by `wait_until_stored`, in the thread that trains
            self.error = error

    def _store(self) -> None:
        rank, size = distributed.get_rank(), distributed.get_world_size()
        part = worker_part_digests(self.path, rank)
        fresh = {name: digest for name, digest in part.items() if digest not in self.home.stored_digests}
        trees.store_tree(self.home.place, self.home.remote.folder_name, self.path, fresh)
        self.home.stored_digests = frozenset(part.values())
        old = self.home.call_coordinator("add_checkpoint_part", self.home.attempt, self.step, rank, size, part)
        if old:
            self.home.place.remove(*(f"{self.home.remote.folder_name}/{digest}" for digest in old))
