"""Machines that cannot train with the others, found by their workers before a model is loaded."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from torch import distributed

from tasks.core.errors import InputError
from tasks.stages.train.job import Job
from tasks.stages.train.recovery.attempts import Unfit


@contextmanager
def agreed(job: Job) -> Iterator[None]:
    """What any worker refuses in the block with an InputError all of them refuse. Raises Unfit."""
    complaint = None
    try:
        yield
    except InputError as error:
        complaint = str(error)
    told = gathered((machine(job), complaint))
    unfit = {name: words for name, words in told if words}
    if unfit:
        left = sum(name not in unfit for name, _ in told)
        raise Unfit("; ".join(dict.fromkeys(unfit.values())), tuple(unfit), left)


def gathered(own: Any) -> list[Any]:
    """What each worker says, by its rank."""
    told: list[Any] = [None] * distributed.get_world_size()
    distributed.all_gather_object(told, own)
    return told


def machine(job: Job) -> str:
    """Ray's name for this one, where Ray has several."""
    if not job.notices:
        return "alone"
    import ray

    return str(ray.get_runtime_context().get_node_id())
