"""Process pool that applies a function to batches. Results are in order, whatever the number of processes."""

import multiprocessing
import os
import pickle
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from functools import lru_cache
from itertools import chain, islice
from multiprocessing.connection import wait
from types import TracebackType
from typing import Any, Self, TypeVar

from tasks.core.errors import InputError
from tasks.core.machine import resource_limits

WORKERS_VARIABLE = "HALLMARK_WORKERS"
"""Environment variable that sets the number of processes of `ingest`. The default is one process for each usable
core."""
BATCHES_IN_FLIGHT = 2
"""Number of batches submitted at a time for each process: enough to keep it busy, and few enough to bound memory."""

In = TypeVar("In")
Out = TypeVar("Out")


def worker_count() -> int:
    """Return the number of processes in a pool.

    Raises:
        InputError: HALLMARK_WORKERS is not a whole number of at least 1.
    """
    setting = os.environ.get(WORKERS_VARIABLE, "")
    if not setting:
        return resource_limits.cores()
    if not setting.isdecimal() or int(setting) < 1:
        raise InputError(f"{WORKERS_VARIABLE}: expected a whole number of at least 1, got {setting!r}")
    return int(setting)


def batch_by_weight(items: Iterable[In], size: int, weigh: Callable[[In], int], max_weight: int) -> Iterator[list[In]]:
    """Yield the items in lists of `size` items. A list ends early if its items together weigh `max_weight` or more."""
    batch: list[In] = []
    weight = 0
    for item in items:
        batch.append(item)
        weight += weigh(item)
        if len(batch) == size or weight >= max_weight:
            yield batch
            batch, weight = [], 0
    if batch:
        yield batch


class BatchPool:
    """Process pool that is started at the second batch and runs until its `with` block ends.

    One pool serves all sources, because a process takes seconds to start and to import its modules.
    """

    def __init__(self) -> None:
        self._count = worker_count()
        self._started: ProcessPoolExecutor | None = None

    def map_in_order(self, work: Callable[[In], Out], batches: Iterable[In]) -> Iterator[Out]:
        """Yield the result of `work` for each batch, in the order of the batches.

        `work` and the batches must be picklable. An exception in `work` is raised again in the calling process. The
        calling process does the work itself if the pool has only one process, or if there is a single batch and the
        pool has not been started.
        """
        source = iter(batches)
        first = list(islice(source, 2))
        if self._count < 2 or (len(first) < 2 and self._started is None):
            yield from map(work, chain(first, source))
            return
        if self._started is None:
            # Spawned, since a forked copy of a process with threads, of which pyarrow has some, may hang.
            context = multiprocessing.get_context("spawn")
            self._started = ProcessPoolExecutor(self._count, context, initializer=_start_parent_watch)
        yield from _map_batches(
            self._started, pickle.dumps(work), chain(first, source), self._count * BATCHES_IN_FLIGHT
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._started is not None:
            self._started.shutdown(wait=kind is None, cancel_futures=True)


def _map_batches(pool: ProcessPoolExecutor, work: bytes, batches: Iterator[In], most: int) -> Iterator[Any]:
    flying: deque[Future[Any]] = deque()
    for batch in batches:
        flying.append(pool.submit(_process_batch, work, batch))
        if len(flying) >= most:
            yield flying.popleft().result()
    while flying:
        yield flying.popleft().result()


def _start_parent_watch() -> None:
    threading.Thread(target=_end_with_parent, daemon=True).start()


def _process_batch(work: bytes, batch: Any) -> Any:
    return _unpickle_work(work)(batch)


@lru_cache(maxsize=1)
def _unpickle_work(work: bytes) -> Callable[[Any], Any]:
    unpacked: Callable[[Any], Any] = pickle.loads(work)
    return unpacked


def _end_with_parent() -> None:
    """Exit this worker process if the stage is killed, because it would otherwise wait for batches forever."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        wait([parent.sentinel])
        os._exit(1)
