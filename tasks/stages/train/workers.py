"""What workers know of each other."""

from typing import Any

from torch import distributed

from tasks.stages.train.job import Job


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
