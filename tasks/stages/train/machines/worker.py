"""Entry point of Ray Train on each worker: connect the workers, then train.

The stage also imports this file, to pass `run_worker` to Ray, but does not need torch, whose import takes 1 CPU second.
Functions therefore import torch themselves, and `connect_workers` replaces Ray's `TorchTrainer`.
"""

import os
from datetime import timedelta
from typing import Any

from tasks.stages.train.job import Job
from tasks.stages.train.recovery.attempts import WorkersLost


def run_worker(config: dict[str, Any]) -> None:
    """Connect to the other workers, and train.

    Args:
        config: Dictionary with the `job`, and with the maximum wait for other workers in seconds as `patience`.
    """
    job: Job = config["job"]
    connect_workers(uses_gpu=job.training.device == "gpu", timeout_seconds=config["patience"])

    from tasks.stages.train import loop

    loop.train_as_worker(job)


def connect_workers(uses_gpu: bool, timeout_seconds: float) -> None:
    """Connect all workers in one process group, and set the same environment variables as `torchrun` (RANK, …).

    Args:
        uses_gpu: Whether the workers communicate through NCCL. If not, they use gloo.
        timeout_seconds: Maximum wait for the other workers in seconds.

    Raises:
        WorkersLost: The workers could not connect within `timeout_seconds` seconds.
    """
    from ray.train.v2._internal.exceptions import CollectiveTimeoutError

    if uses_gpu:
        select_gpu()
    try:
        _join_process_group("nccl" if uses_gpu else "gloo", timedelta(seconds=timeout_seconds))
    except (RuntimeError, CollectiveTimeoutError) as error:
        why = (str(error).strip().splitlines() or [type(error).__name__])[0]
        raise WorkersLost(f"the workers could not connect with each other: {why[:300]}") from None


def select_gpu() -> None:
    """Select the GPU that Ray reserved for this worker.

    By default, NCCL uses the machine's first GPU for every worker.
    """
    import torch
    from ray.train.torch import get_device

    os.environ.setdefault("TORCH_NCCL_ASYNC_ERROR_HANDLING", "1")  # end a worker when its peers are gone
    torch.cuda.set_device(get_device())


def _join_process_group(backend: str, timeout: timedelta) -> None:
    import ray
    from ray import train
    from ray.train.collective import broadcast_from_rank_zero
    from torch import distributed

    here = train.get_context()
    rank, size = here.get_world_rank(), here.get_world_size()
    own = _open_address_store(ray.util.get_node_ip_address(), 0, size, timeout, is_master=True) if rank == 0 else None
    host, port = broadcast_from_rank_zero((own.host, own.port) if own is not None else None)
    os.environ.update(
        RANK=str(rank),
        WORLD_SIZE=str(size),
        LOCAL_RANK=str(here.get_local_rank()),
        LOCAL_WORLD_SIZE=str(here.get_local_world_size()),
        NODE_RANK=str(here.get_node_rank()),
        MASTER_ADDR=host,
        MASTER_PORT=str(port),
    )
    store = own if own is not None else _open_address_store(host, port, size, timeout)
    distributed.init_process_group(backend, store=store, rank=rank, world_size=size, timeout=timeout)


def _open_address_store(host: str, port: int, size: int, timeout: timedelta, is_master: bool = False) -> Any:
    from torch.distributed import TCPStore  # type: ignore[attr-defined]  # torch's stubs do not export it

    return TCPStore(host, port, size, is_master, timeout=timeout, wait_for_workers=False)
