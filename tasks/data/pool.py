"""Pure functions over batches, in this process or over several, with the same results in the same order."""

import multiprocessing
import os
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from itertools import chain, islice
from multiprocessing.connection import wait
from typing import Any, TypeVar

from tasks.errors import InputError

WORKERS = "HALLMARK_WORKERS"
"""Environment variable: processes of the heavy data stages; the cores of the machine where it is not set."""
AHEAD = 2
"""Batches in flight for each worker: enough to keep it busy, few enough to bound the memory."""

In = TypeVar("In")
Out = TypeVar("Out")

_work: Callable[[Any], Any]


def workers() -> int:
    """How many processes to use. Raises InputError where HALLMARK_WORKERS is not a number of at least 1."""
    told = os.environ.get(WORKERS, "")
    if not told:
        return os.cpu_count() or 1
    if not told.isdecimal() or int(told) < 1:
        raise InputError(f"{WORKERS}: expected a whole number of at least 1, got {told!r}")
    return int(told)


def batched(items: Iterable[In], size: int) -> Iterator[list[In]]:
    """The items in lists of `size`, the last one shorter."""
    source = iter(items)
    while batch := list(islice(source, size)):
        yield batch


def in_order(work: Callable[[In], Out], batches: Iterable[In]) -> Iterator[Out]:
    """`work` of each batch, in the order of the batches. What it raises is raised here.

    `work` and batches must be picklable. A single batch, or a single worker, stays in this process: starting others
    takes a second or two.
    """
    source = iter(batches)
    first = list(islice(source, 2))
    count = workers()
    if len(first) < 2 or count < 2:
        yield from map(work, chain(first, source))
        return
    # Spawned: a forked copy of a process with threads (pyarrow has some) may hang.
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(count, context, initializer=_begin, initargs=(work,)) as pool:
        try:
            yield from _drawn(pool, chain(first, source), count * AHEAD)
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise


def _drawn(pool: ProcessPoolExecutor, batches: Iterator[In], most: int) -> Iterator[Any]:
    flying: deque[Future[Any]] = deque()
    for batch in batches:
        flying.append(pool.submit(_run, batch))
        if len(flying) >= most:
            yield flying.popleft().result()
    while flying:
        yield flying.popleft().result()


def _begin(work: Callable[[Any], Any]) -> None:
    global _work
    _work = work
    threading.Thread(target=_end_with_parent, daemon=True).start()


def _run(batch: Any) -> Any:
    return _work(batch)


def _end_with_parent() -> None:
    """A killed stage leaves no worker behind that waits for batches for ever."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        wait([parent.sentinel])
        os._exit(1)
