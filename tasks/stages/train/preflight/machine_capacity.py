"""Memory and disk space of the machines that train: this machine, or those that the parameters describe."""

import os
import shutil
from dataclasses import dataclass
from pathlib import Path

from tasks.core.machine import resource_limits
from tasks.core.params.resources import Resources
from tasks.core.params.training import Training
from tasks.stages.cluster import connection
from tasks.stages.cluster.storage import training_storage

GIB = 1 << 30
MAX_MEMORY_GIB = 1e9
"""Maximum memory in GiB. A higher value in the parameters is reduced to it, because no training run needs as much."""


@dataclass(frozen=True)
class MachineCapacity:
    """Memory and disk space of a worker in bytes. Unknown sizes are None."""

    device_bytes: int | None
    """Memory of the worker's GPU or, if it trains on a CPU, its share of the machine's memory."""
    host_bytes: int | None
    """Worker's share of the machine's memory, which holds offloaded state."""
    disk_bytes: int | None


def capacity_per_worker(training: Training, resources: Resources, folder: Path) -> MachineCapacity:
    """Return the memory and disk space of each worker.

    In a cluster, it is unknown how many workers share a machine, so each worker is assumed to have a machine to itself.
    Disk space is None if `resources` describe another machine, or if checkpoints are kept in the training storage.

    Args:
        training: Parameters of the training run.
        resources: Memory of the machines according to the parameters.
        folder: Folder of the checkpoints, which need not exist yet.
    """
    cluster = connection.cluster_address() is not None
    if cluster:
        device, host = _gib_to_bytes(resources.memory_gib), _gib_to_bytes(resources.host_memory_gib)
    else:
        device = _gib_to_bytes(resources.memory_gib) or _device_memory(training, training.workers, 0)
        host = (_gib_to_bytes(resources.host_memory_gib) or resource_limits.usable_memory_bytes()) // training.workers
    elsewhere = (cluster and training_storage.storage_location()) or (not cluster and resources.memory_gib)
    return MachineCapacity(
        device, host, disk_bytes=None if elsewhere else shutil.disk_usage(_existing_folder(folder)).free
    )


def is_trained_here(resources: Resources) -> bool:
    """Return whether training takes place on this machine rather than on a cluster or on the machine in `resources`."""
    return connection.cluster_address() is None and resources.memory_gib is None


def _existing_folder(folder: Path) -> Path:
    return next(each for each in (folder, *folder.parents) if each.is_dir())


def worker_capacity(training: Training) -> MachineCapacity:
    """Return the memory of this worker: that of its device, and its share of the machine's memory.

    Only a worker can call this function.
    """
    beside, own = int(os.environ["LOCAL_WORLD_SIZE"]), int(os.environ["LOCAL_RANK"])
    return MachineCapacity(
        device_bytes=_device_memory(training, beside, own),
        host_bytes=resource_limits.usable_memory_bytes() // beside,
        disk_bytes=None,
    )


def _gib_to_bytes(gib: float | None) -> int | None:
    return None if gib is None else round(min(gib, MAX_MEMORY_GIB) * GIB)


def _device_memory(training: Training, local_workers: int, local_rank: int) -> int | None:
    if training.device == "cpu":
        return resource_limits.usable_memory_bytes() // local_workers
    import torch

    gpus = torch.cuda.device_count()
    return torch.cuda.get_device_properties(min(local_rank, gpus - 1)).total_memory if gpus else None
