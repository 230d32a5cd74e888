"""Number of workers that a cluster has room for, before training begins and during training.

A placement group is requested for each worker, so that Ray also starts machines for it. Ray Train itself can change the
number of workers during training, but this feature is not used. It counts machines every 20 s, includes machines that
are being taken away or are used by others, and then waits for workers for which there is no room.
"""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from tasks.core.params.training import Training
from tasks.core.progress import print_progress
from tasks.stages.train.job import Job
from tasks.stages.train.model import builders

ROOM_SETTLED_SECONDS = 10.0
"""Time in seconds for which the number of available workers must not change before training begins with fewer
workers."""
MIN_SECONDS_BEFORE_GROWTH = 60.0
"""Minimum time in seconds that training continues with fewer workers before it is resumed with more."""
POLL_SECONDS = 0.5


def is_elastic(training: Training) -> bool:
    return training.least_workers is not None


def wait_for_workers(job: Job) -> int:
    """Wait until the cluster has room for the training run, and return the number of workers to begin with.

    This number is `training.workers` if the cluster has room for all of them. If the room does not grow for some time,
    training begins with fewer workers, but at least `training.least_workers`. The wait for this minimum has no time
    limit. Without `training.least_workers`, Ray itself waits for all workers.
    """
    training = job.training
    if not is_elastic(training):
        return training.workers  # Ray requests the machines and waits for them
    assert training.least_workers
    together = training.sequence_parallel  # fewer of them could not compute a forward pass
    has_announced, before, since = False, -1, time.monotonic()
    least = training.least_workers
    # The minimum is one group. Else two trainings could each hold a place that the other waits for.
    with request_placement_groups(job, [least, *[together] * ((training.workers - least) // together)]) as places:
        while (now := places.workers_placed()) < training.workers:
            if now != before:
                before, since = now, time.monotonic()
            settled = time.monotonic() - since > ROOM_SETTLED_SECONDS
            if settled and now >= least:
                break
            if settled and not has_announced:
                has_announced = True
                words = f"the cluster has no room for the {least} workers of training.least_workers"
                print_progress("train", f"waiting for machines: {words}")
            time.sleep(POLL_SECONDS)
    return now


@contextmanager
def seek_more_workers(job: Job, workers: int) -> Iterator[None]:
    """Watch in a thread, during the block, whether the cluster has room for more workers.

    If there is room, the thread creates the file `Job.more_workers_file`. The thread starts once the training log
    exists, because until then the block's own workers are still starting. There is no thread if the block has all
    workers already.
    """
    training, together = job.training, job.training.sequence_parallel
    job.more_workers_file.unlink(missing_ok=True)
    if workers == training.workers:
        yield
        return
    ended = threading.Event()

    def look() -> None:
        while not job.training_log.exists():
            if ended.wait(POLL_SECONDS):
                return
        if ended.wait(MIN_SECONDS_BEFORE_GROWTH):
            return
        with request_placement_groups(job, [together] * ((training.workers - workers) // together)) as places:
            while not ended.wait(POLL_SECONDS):
                if places.workers_placed():
                    job.more_workers_file.touch()

    thread = threading.Thread(target=look, daemon=True)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()


class PlacementGroups:
    def __init__(self, groups: list[Any]) -> None:
        self._groups = groups

    def workers_placed(self) -> int:
        from ray.util import placement_group_table

        return sum(group.bundle_count for group in self._groups if placement_group_table(group)["state"] == "CREATED")


@contextmanager
def request_placement_groups(job: Job, group_sizes: list[int]) -> Iterator[PlacementGroups]:
    """Reserve room for workers in the cluster, and release it at the end of the block.

    Machines that cannot train with the others are avoided.

    Args:
        job: Parameters of the training run.
        group_sizes: Number of workers in each placement group.
    """
    from ray.util import placement_group, remove_placement_group

    needs, where = builders.build_worker_spec(job.training).resources, builders.build_label_selector(job.unfit_machines)
    groups = [placement_group([needs] * workers, bundle_label_selector=[where] * workers) for workers in group_sizes]
    try:
        yield PlacementGroups(groups)
    finally:
        for group in groups:
            remove_placement_group(group)
