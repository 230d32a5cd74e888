"""Exchange of values between workers, and the id of a worker's machine."""

from typing import Any

from torch import distributed

from tasks.stages.train.job import Job


def gather_from_workers(value: Any) -> list[Any]:
    """Return the values that the workers pass as `value`, ordered by rank. Every worker has to call this function."""
    values: list[Any] = [None] * distributed.get_world_size()
    distributed.all_gather_object(values, value)
    return values


def machine_id(job: Job) -> str:
    """Return Ray's id of this machine, or `alone` if the training run does not use a cluster."""
    if not job.is_on_cluster:
        return "alone"
    import ray

    return str(ray.get_runtime_context().get_node_id())
