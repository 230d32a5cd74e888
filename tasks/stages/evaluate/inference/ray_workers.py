"""Executor that runs a model on Ray workers, on this machine or on the cluster at RAY_ADDRESS.

If a worker is lost, another worker answers its batch. The batches are fixed in advance. Answers therefore do not depend
on the worker that computes them.
"""

from collections import deque
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any, NamedTuple

from tasks.core.errors import HallmarkError, Unavailable
from tasks.core.files import tree_manifest
from tasks.core.params.evaluation import Evaluation
from tasks.core.progress import print_progress
from tasks.stages.cluster import connection
from tasks.stages.cluster.storage import training_storage, trees
from tasks.stages.cluster.storage.training_storage import TrainingStorage
from tasks.stages.cluster.worker_spec import WorkerSpec
from tasks.stages.evaluate.inference.executor import Operation
from tasks.stages.evaluate.inference.model_process import ModelProcess, ModelSetup, StoredModel

MAX_LOSSES_IN_A_ROW = 3
PLACEMENT_TIMEOUT_SECONDS = 600.0
"""Maximum time in seconds to wait until the cluster has room for all workers. After that, the stage begins with the
workers that have started, and the others join later."""


def worker_spec(settings: Evaluation) -> WorkerSpec:
    return WorkerSpec("evaluation", settings.workers, settings.threads, settings.device == "gpu")


@contextmanager
def start_workers(setup: ModelSetup, name: str) -> Iterator["RayExecutor"]:
    """Start workers with the model, and stop them when the context ends. `name` appears in progress lines."""
    storage = training_storage.storage_from_environment() if connection.cluster_address() else None
    setup = store_model(setup, storage, name)
    print_progress(name, "starting Ray, then loading the model on its workers")
    with connection.connect_to_ray(worker_spec(setup.settings), without_shared_disk=storage is not None):
        spread = RayExecutor(setup, name)
        spread.wait_until_loaded()
        yield spread


def store_model(setup: ModelSetup, storage: TrainingStorage | None, name: str) -> ModelSetup:
    """Upload the model to the storage, and return a setup with its location there.

    If there is no storage, nothing is uploaded and the setup is returned unchanged.
    """
    if storage is None:
        return setup
    weights, adapter = setup.folders.weights_folder, setup.folders.adapter_folder
    afar = StoredModel(storage.location, tree_manifest(weights), tree_manifest(adapter) if adapter else None)
    trees.store_shared_tree(storage, weights, afar.weights, name, "the model")
    if adapter and afar.adapter:
        trees.store_shared_tree(storage, adapter, afar.adapter, name, "the adapter")
    return replace(setup, stored_model=afar)


class NumberedItem(NamedTuple):
    number: int
    argument: Any


class RayExecutor:
    """Executor that runs a model on numbered Ray actors. The replacement of a lost actor gets the same number."""

    def __init__(self, setup: ModelSetup, name: str) -> None:
        self._brief, self._name, self._crew = setup, name, worker_spec(setup.settings)
        self._actors: dict[int, Any] = {}
        self._starting: dict[Any, tuple[int, str]] = {}
        """Workers that are starting: worker number and pending call (`here`, then `load`), by Ray's object
        reference."""
        self._idle: set[int] = set()
        self._answered: set[int] = set()
        self._lost_in_a_row = 0
        for worker in range(self._crew.workers):
            self._start(worker)

    def wait_until_loaded(self) -> None:
        """Wait until every worker that Ray has placed on a machine has loaded the model.

        Raises:
            Unavailable: No worker was placed on a machine within PLACEMENT_TIMEOUT_SECONDS.
        """
        while self._starting:
            placed = not any(act == "here" for _, act in self._starting.values())
            done = self._wait_for_one(self._starting, None if placed else PLACEMENT_TIMEOUT_SECONDS)
            if not done and not any(act == "load" for _, act in self._starting.values()):
                break
            for ref in done:
                self._handle_started(ref)
        self._require_workers()
        if len(self._idle) < self._crew.workers:
            print_progress(self._name, f"going on with {len(self._idle)} of {self._crew.workers} workers")

    def map_unordered(self, operation: Operation, items: Iterable[Any]) -> Iterator[tuple[int, Any]]:
        rest, again = (NumberedItem(*each) for each in enumerate(items)), deque[NumberedItem]()
        busy: dict[Any, tuple[int, NumberedItem]] = {}
        while True:
            while self._idle and (item := again.popleft() if again else next(rest, None)):
                worker = min(self._idle)  # so that the same worker answers all single requests
                self._idle.remove(worker)
                busy[getattr(self._actors[worker], operation).remote(item.argument)] = worker, item
            if self._idle and not busy:
                return
            done = self._wait_for_one([*busy, *self._starting], None if busy else PLACEMENT_TIMEOUT_SECONDS)
            if not done:
                self._require_workers()
            for ref in done:
                if ref in self._starting:
                    self._handle_started(ref)
                    continue
                worker, item = busy.pop(ref)
                got, answer = self._fetch_result(ref, worker)
                if not got:
                    again.append(item)
                    continue
                self._idle.add(worker)
                self._answered.add(worker)
                self._lost_in_a_row = 0
                yield item.number, answer

    def count_answering(self) -> int:
        return len(self._answered)

    def peak_bytes(self) -> int:
        results = [
            self._fetch_result(self._actors[worker].peak_bytes.remote(), worker) for worker in sorted(self._idle)
        ]
        return max((peak for got, peak in results if got), default=0)

    def _start(self, worker: int) -> None:
        import ray

        needs = self._crew.resources
        wanted: Any = ray.remote(ModelProcess).options(num_cpus=needs["CPU"], num_gpus=needs.get("GPU", 0))
        self._actors[worker] = actor = wanted.remote(self._brief)
        self._starting[actor.here.remote()] = worker, "here"

    def _handle_started(self, ref: Any) -> None:
        worker, act = self._starting.pop(ref)
        got, _ = self._fetch_result(ref, worker)
        if not got:
            return
        if act == "here":
            self._starting[self._actors[worker].load.remote()] = worker, "load"
        else:
            self._idle.add(worker)

    def _fetch_result(self, ref: Any, worker: int) -> tuple[bool, Any]:
        """Return whether a worker's call succeeded, and its result. If the worker was lost, start a replacement.

        Raises:
            HallmarkError: The call raised this error on the worker.
            Unavailable: Too many workers were lost.
        """
        import ray
        from ray.exceptions import OutOfMemoryError, RayActorError, RayTaskError, WorkerCrashedError

        try:
            return True, ray.get(ref)
        except RayTaskError as error:
            raise (error.cause if isinstance(error.cause, HallmarkError) else error) from None
        except (RayActorError, OutOfMemoryError, WorkerCrashedError) as error:
            self._replace_lost(worker, error)
            return False, None

    def _replace_lost(self, worker: int, error: Exception) -> None:
        import ray

        ray.kill(self._actors[worker])  # a worker that only lost its connection may still run
        self._idle.discard(worker)
        self._lost_in_a_row += 1
        why = f"worker {worker} of {self._crew.workers} was lost"
        if "OutOfMemory" in str(error) or "out of memory" in str(error):
            why += " for want of memory"
        if self._lost_in_a_row > MAX_LOSSES_IN_A_ROW:
            raise Unavailable(
                f"{why}, the {self._lost_in_a_row}th in a row without an answer between; look at the machines' memory, "
                "or lower evaluation.batch_size"
            )
        print_progress(self._name, f"{why}; its rows are answered by others")
        self._start(worker)

    def _require_workers(self) -> None:
        if not self._idle and not any(act == "load" for _, act in self._starting.values()):
            raise Unavailable(
                f"no machine had room for a worker within {PLACEMENT_TIMEOUT_SECONDS:.0f} s "
                f"({self._crew.resources_text} each); "
                "start machines, or lower evaluation.threads"
            )

    @staticmethod
    def _wait_for_one(refs: Iterable[Any], seconds: float | None) -> list[Any]:
        import ray

        done, _ = ray.wait(list(refs), num_returns=1, timeout=seconds)
        return done
