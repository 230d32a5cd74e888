"""What the machines that train have: this one, or those of a cluster as far as the parameters say."""

import os
import shutil
from dataclasses import dataclass
from pathlib import Path

import psutil

from tasks.core.params.resources import Resources
from tasks.core.params.training import Training
from tasks.stages.cluster import connection
from tasks.stages.cluster.storage import place

GIB = 1 << 30


@dataclass(frozen=True)
class Room:
    """Bytes; None where nobody knows."""

    device: int | None
    """Of a worker's GPU, or of its share of a machine's memory."""
    host: int | None
    """Of a machine's memory, for what is offloaded."""
    disk: int | None
    """Free, for checkpoints and weights."""


def of(training: Training, resources: Resources, folder: Path) -> Room:
    """`folder`: on the disk of the checkpoints, unless a cluster's training has a storage for them."""
    cluster = connection.address() is not None
    stored = cluster and place.SETTING in os.environ
    return Room(
        device=_given(resources.memory_gib) or (None if cluster else _device(training, training.workers)),
        host=_given(resources.host_memory_gib) or (None if cluster else psutil.virtual_memory().total),
        disk=None if stored else shutil.disk_usage(folder).free,
    )


def of_worker(training: Training) -> Room:
    """Asked by a worker, on its own machine."""
    beside = int(os.environ["LOCAL_WORLD_SIZE"])
    return Room(device=_device(training, beside), host=psutil.virtual_memory().total, disk=None)


def _given(gib: float | None) -> int | None:
    return None if gib is None else round(gib * GIB)


def _device(training: Training, beside: int) -> int | None:
    """Of one of so many workers beside each other on this machine; None where it has no such device."""
    if training.device == "cpu":
        return psutil.virtual_memory().total // beside
    import torch

    return torch.cuda.get_device_properties(0).total_memory if torch.cuda.is_available() else None
