"""Resource limits of a stage. A stage that exceeds a limit is ended before it harms other processes.

The limits are checked from outside, once a second. The kernel's own limits are unsuitable: they count all processes of
a user together, or address space, of which Ray and CUDA reserve more than the machine's memory.
"""

import os
import shutil
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import psutil

from tasks.core.formatting import format_bytes

GIB = 2**30
ENOUGH_FREE_INODES = 10_000
"""Number of free inodes that is enough on any disk. On a disk with few inodes, the share `min_disk_share` is enough."""


@dataclass(frozen=True)
class Limits:
    max_processes: int = 4_000
    """Maximum number of additional processes on the machine since the stage began. A training run with Ray has a few
    hundred."""
    min_memory_share: float = 0.015
    """Minimum share of the machine's memory that must stay free. With less, the kernel kills arbitrary processes."""
    min_disk_share: float = 0.01
    enough_free_bytes: float = 4 * GIB
    """Free memory or disk space in bytes that is always enough, whatever its share."""
    max_seconds: float = 14 * 24 * 3600.0


def limit_check(limits: Limits, place: Path) -> Callable[[], str | None]:
    """Return a function that checks the limits of a stage that starts now.

    The function returns the reason why the stage must end, or None.

    Args:
        limits: Limits of the stage.
        place: Path on the disk of the stage's outputs.
    """
    begun, before = time.monotonic(), _processes()

    def look() -> str | None:
        if time.monotonic() - begun > limits.max_seconds:
            return f"it has run for {limits.max_seconds / 3600:g} hours"
        if (more := _processes() - before) > limits.max_processes:
            return f"it has started {more:,} processes, and may have {limits.max_processes:,}"
        memory = psutil.virtual_memory()
        if memory.available < min(limits.min_memory_share * memory.total, limits.enough_free_bytes):
            return f"the machine has {format_bytes(memory.available)} of memory left, of {format_bytes(memory.total)}"
        return disk_shortage(limits, place)

    return look


def disk_shortage(limits: Limits, place: Path) -> str | None:
    """Return a description of the free space if the disk of `place` has too little of it, else None."""
    if (files := os.statvfs(place)).f_files and files.f_favail < min(
        limits.min_disk_share * files.f_files, ENOUGH_FREE_INODES
    ):
        return f"the disk of {place} takes {files.f_favail:,} more files, of {files.f_files:,}"
    disk = shutil.disk_usage(place)
    if disk.free < min(limits.min_disk_share * disk.total, limits.enough_free_bytes):
        return f"the disk of {place} has {format_bytes(disk.free)} left, of {format_bytes(disk.total)}"
    return None


def _processes() -> int:
    """Return the number of processes on the machine. Counting only those of one stage takes fifty times as long."""
    return len(psutil.pids())
