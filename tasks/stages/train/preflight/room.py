"""What the machines that train have: this one, or those of a cluster as far as the parameters say."""

import os
import shutil
from dataclasses import dataclass
from pathlib import Path

from tasks.core import usable
from tasks.core.params.resources import Resources
from tasks.core.params.training import Training
from tasks.stages.cluster import connection
from tasks.stages.cluster.storage import place

GIB = 1 << 30
MOST_GIB = 1e9
"""No training needs as much, so that more changes nothing."""


@dataclass(frozen=True)
class Room:
    """Bytes, of a worker where nothing else is said; None where nobody knows."""

    device: int | None
    """Of its GPU, or of its share of a machine's memory."""
    host: int | None
    """Of its share of a machine's memory, for what is offloaded."""
    disk: int | None
    """Free, for checkpoints and weights of all workers."""


def of(training: Training, resources: Resources, folder: Path) -> Room:
    """`folder`: of the checkpoints, made or not, unless a cluster's training has a storage for them. Of a cluster
    nobody knows how many workers a machine will have: each counts as alone on one. Where `resources` say what another
    machine has, nobody knows its disk."""
    cluster = connection.address() is not None
    if cluster:
        device, host = _given(resources.memory_gib), _given(resources.host_memory_gib)
    else:
        device = _given(resources.memory_gib) or _device(training, training.workers, 0)
        host = (_given(resources.host_memory_gib) or usable.memory()) // training.workers
    elsewhere = (cluster and place.setting()) or (not cluster and resources.memory_gib)
    return Room(device, host, disk=None if elsewhere else shutil.disk_usage(_there(folder)).free)


def is_here(resources: Resources) -> bool:
    """Whether this machine is to train: no cluster is named, and `resources` describe no other machine."""
    return connection.address() is None and resources.memory_gib is None


def _there(folder: Path) -> Path:
    """The nearest folder above it that exists."""
    return next(each for each in (folder, *folder.parents) if each.is_dir())


def of_worker(training: Training) -> Room:
    """Asked by a worker, on its own machine."""
    beside, own = int(os.environ["LOCAL_WORLD_SIZE"]), int(os.environ["LOCAL_RANK"])
    return Room(device=_device(training, beside, own), host=usable.memory() // beside, disk=None)


def _given(gib: float | None) -> int | None:
    return None if gib is None else round(min(gib, MOST_GIB) * GIB)


def _device(training: Training, beside: int, place: int) -> int | None:
    """Of the one at `place` of so many workers on this machine; None where it has no such device."""
    if training.device == "cpu":
        return usable.memory() // beside
    import torch

    there = torch.cuda.device_count()
    return torch.cuda.get_device_properties(min(place, there - 1)).total_memory if there else None
