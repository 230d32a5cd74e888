"""Memory and disk of the machines that train: of this machine, or of a cluster as the parameters describe it."""

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
MAX_GIB = 1e9
"""Maximum memory in the parameters, in GiB. A higher value has the same effect, because no training run needs as
much."""


@dataclass(frozen=True)
class MachineCapacity:
    """Memory and disk space of a worker in bytes. Unknown sizes are None."""

    device: int | None
    """Memory of the worker's GPU or, if it trains on a CPU, its share of the machine's memory."""
    host: int | None
    """Worker's share of the machine's memory, which holds offloaded state."""
    disk: int | None


def of(training: Training, resources: Resources, folder: Path) -> MachineCapacity:
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
        device = _gib_to_bytes(resources.memory_gib) or _device(training, training.workers, 0)
        host = (_gib_to_bytes(resources.host_memory_gib) or resource_limits.memory()) // training.workers
    elsewhere = (cluster and training_storage.location()) or (not cluster and resources.memory_gib)
    return MachineCapacity(device, host, disk=None if elsewhere else shutil.disk_usage(_there(folder)).free)


def trains_here(resources: Resources) -> bool:
    """Return whether this machine trains, and not a cluster or another machine that `resources` describe."""
    return connection.cluster_address() is None and resources.memory_gib is None


def _there(folder: Path) -> Path:
    return next(each for each in (folder, *folder.parents) if each.is_dir())


def worker_capacity(training: Training) -> MachineCapacity:
    """Return the memory of this worker on its machine. Only a worker can call this function."""
    beside, own = int(os.environ["LOCAL_WORLD_SIZE"]), int(os.environ["LOCAL_RANK"])
    return MachineCapacity(device=_device(training, beside, own), host=resource_limits.memory() // beside, disk=None)


def _gib_to_bytes(gib: float | None) -> int | None:
    return None if gib is None else round(min(gib, MAX_GIB) * GIB)


def _device(training: Training, beside: int, place: int) -> int | None:
    if training.device == "cpu":
        return resource_limits.memory() // beside
    import torch

    gpus = torch.cuda.device_count()
    return torch.cuda.get_device_properties(min(place, gpus - 1)).total_memory if gpus else None
