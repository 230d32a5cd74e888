"""How many workers the machines of a cluster have room for, while a training waits to begin and while it runs.

Each worker that is wanted is asked for by a placement group, so that Ray also brings up machines for it. Ray Train can
shrink and grow a training by itself; but it counts machines every 20 s, with those that are being taken away and what
others use, and then waits for workers that have nowhere to go.
"""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from tasks.core.params.training import Training
from tasks.core.progress import announce
from tasks.stages.train import builders
from tasks.stages.train.job import Job

SETTLED_SECONDS = 10.0
"""How long as many workers have room before a training begins with fewer than it would like."""
GROW_SECONDS = 60.0
"""How long a training with fewer workers runs at least before it goes on with more, from a checkpoint of then."""
EVERY_SECONDS = 0.5


def elastic(training: Training) -> bool:
    """It waits for room, and goes on where workers are lost as they start."""
    return training.least_workers is not None


def wait_for(job: Job) -> int:
    """The workers to begin with: all, or after a while at least the least. Waits as long as there are fewer."""
    training = job.training
    if not elastic(training):
        return training.workers  # Ray asks for the machines, and waits for them
    assert training.least_workers
    together = training.sequence_parallel  # one of them would have nothing to do
    told, before, since = False, -1, time.monotonic()
    least = training.least_workers
    # The least together, or two trainings could each hold a place that the other waits for.
    with asked(job, [least, *[together] * ((training.workers - least) // together)]) as places:
        while (now := places.given()) < training.workers:
            if now != before:
                before, since = now, time.monotonic()
            settled = time.monotonic() - since > SETTLED_SECONDS
            if settled and now >= least:
                break
            if settled and not told:
                told = True
                words = f"the cluster has no room for the {least} workers of training.least_workers"
                announce("train", f"waiting for machines: {words}")
            time.sleep(EVERY_SECONDS)
    return now


@contextmanager
def looked_for(job: Job, workers: int) -> Iterator[None]:
    """While the block trains with fewer workers than it would like, look for more from a thread: `job.more` appears.
    Not before there is a record, since the workers take their own places until then."""
    training, together = job.training, job.training.sequence_parallel
    job.more.unlink(missing_ok=True)
    if workers == training.workers:
        yield
        return
    ended = threading.Event()

    def look() -> None:
        while not job.record.exists():
            if ended.wait(EVERY_SECONDS):
                return
        if ended.wait(GROW_SECONDS):
            return
        with asked(job, [together] * ((training.workers - workers) // together)) as places:
            while not ended.wait(EVERY_SECONDS):
                if places.given():
                    job.more.touch()

    thread = threading.Thread(target=look, daemon=True)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()


class Places:
    def __init__(self, groups: list[Any]) -> None:
        self._groups = groups

    def given(self) -> int:
        """Workers that have a place now."""
        from ray.util import placement_group_table

        return sum(group.bundle_count for group in self._groups if placement_group_table(group)["state"] == "CREATED")


@contextmanager
def asked(job: Job, together: list[int]) -> Iterator[Places]:
    """Places for so many workers at a time on machines that fit, asked of Ray, and given back with the block."""
    from ray.util import placement_group, remove_placement_group

    needs, where = builders.crew(job.training).needs, builders.elsewhere(job.unfit)
    groups = [placement_group([needs] * workers, bundle_label_selector=[where] * workers) for workers in together]
    try:
        yield Places(groups)
    finally:
        for group in groups:
            remove_placement_group(group)
