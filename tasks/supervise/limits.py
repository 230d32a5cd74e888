"""Resource limits of a stage. A stage that exceeds a limit is ended before it harms other processes.

The supervisor checks the limits once a second. The kernel's own limits are unsuitable. Its limit on processes counts
all processes of a user together. Its limit on memory counts address space, and Ray and CUDA reserve more address space
than the machine has memory.
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
"""Number of free inodes that is always enough. On a disk with few inodes, the fraction `min_disk_share` of them is
enough."""


@dataclass(frozen=True)
class Limits:
    max_processes: int = 4_000
    """Maximum increase in the number of processes on the machine since the stage began. A training run with Ray starts
    a few hundred."""
    min_memory_share: float = 0.015
    """Minimum fraction of the machine's memory that must stay free. With less, the kernel could kill arbitrary
    processes."""
    min_disk_share: float = 0.01
    enough_free_bytes: float = 4 * GIB
    """Free memory or disk space in bytes that is always enough, even if it is less than the minimum fraction."""
    max_seconds: float = 14 * 24 * 3600.0


def create_limit_check(limits: Limits, output_path: Path) -> Callable[[], str | None]:
    """Return a function that checks the limits of a stage. It returns the reason why the stage must end, or None.

    Time and processes are counted from the call of `limit_check`, so it must be called when the stage starts.

    Args:
        limits: Limits of the stage.
        output_path: Any path on the disk to which the stage writes its outputs.
    """
    begun, before = time.monotonic(), _count_processes()

    def find_exceeded_limit() -> str | None:
        if time.monotonic() - begun > limits.max_seconds:
            return f"it has run for {limits.max_seconds / 3600:g} hours"
        if (more := _count_processes() - before) > limits.max_processes:
            return f"it has started {more:,} processes, and may have {limits.max_processes:,}"
        memory = psutil.virtual_memory()
        if memory.available < min(limits.min_memory_share * memory.total, limits.enough_free_bytes):
            return f"the machine has {format_bytes(memory.available)} of memory left, of {format_bytes(memory.total)}"
        return describe_disk_shortage(limits, output_path)

    return find_exceeded_limit


def describe_disk_shortage(limits: Limits, path: Path) -> str | None:
    """Return a description of the shortage if the disk of `path` has too little free space; else None."""
    if (files := os.statvfs(path)).f_files and files.f_favail < min(
        limits.min_disk_share * files.f_files, ENOUGH_FREE_INODES
    ):
        return f"the disk of {path} takes {files.f_favail:,} more files, of {files.f_files:,}"
    disk = shutil.disk_usage(path)
    if disk.free < min(limits.min_disk_share * disk.total, limits.enough_free_bytes):
        return f"the disk of {path} has {format_bytes(disk.free)} left, of {format_bytes(disk.total)}"
    return None


def _count_processes() -> int:
    """Return the number of processes on the machine.

    Counting only a stage's own processes would take fifty times as long.
    """
    return len(psutil.pids())
