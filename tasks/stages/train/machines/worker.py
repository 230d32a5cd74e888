"""What Ray Train calls on each worker.

The stage and Ray's controller import this file as well, and need no torch, which takes a second: it is imported here
where a worker needs it. For the same reason workers meet here, and not by Ray's `TorchTrainer`.
"""

import os
from datetime import timedelta
from typing import Any

from tasks.stages.train.job import Job


def work(config: dict[str, Any]) -> None:
    """Train. `config`: `job`, and `patience`, the seconds that one worker waits for another at most."""
    job: Job = config["job"]
    meet(gpu=job.training.device == "gpu", patience=config["patience"])

    from tasks.stages.train import loop

    loop.work(job)


def meet(gpu: bool, patience: float) -> None:
    """Connect the workers with each other. Who is who stands in the environment, as `torchrun` leaves it."""
    import ray
    from ray import train
    from ray.train.collective import broadcast_from_rank_zero
    from torch import distributed

    here, longest = train.get_context(), timedelta(seconds=patience)
    rank, size = here.get_world_rank(), here.get_world_size()
    first = ray.util.get_node_ip_address(), 0
    own = _store(first, size, longest, is_master=True) if rank == 0 else None
    host, port = broadcast_from_rank_zero((first[0], own.port) if own else None)
    os.environ.update(
        RANK=str(rank),
        WORLD_SIZE=str(size),
        LOCAL_RANK=str(here.get_local_rank()),
        LOCAL_WORLD_SIZE=str(here.get_local_world_size()),
        NODE_RANK=str(here.get_node_rank()),
        MASTER_ADDR=host,
        MASTER_PORT=str(port),
    )
    distributed.init_process_group(
        "nccl" if gpu else "gloo",
        store=own or _store((host, port), size, longest),
        rank=rank,
        world_size=size,
        timeout=longest,
    )


def _store(place: tuple[str, int], size: int, longest: timedelta, is_master: bool = False) -> Any:
    """Where workers leave their addresses. The first one's is there before the others know of it, at a free port."""
    from torch.distributed import TCPStore  # type: ignore[attr-defined]  # torch's stubs do not export it

    return TCPStore(*place, size, is_master, timeout=longest, wait_for_workers=False)
