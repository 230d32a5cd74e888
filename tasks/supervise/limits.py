"""What a stage may take of its machine. One that goes past it is ended, before others on the machine are.

It is looked at from outside, once a second: limits of the kernel count what all processes of a user have together, or
address space, of which Ray and CUDA take more than there is.
"""

import os
import shutil
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import psutil

GIB = 2**30
LEAST_FILES = 10_000
"""More files that the disk has to take, or the same share as of its bytes where that is fewer."""


@dataclass(frozen=True)
class Limits:
    processes: int = 4_000
    """How many more than before it began; a training on Ray has some hundred with all their threads."""
    memory_left: float = 0.015
    """Share of the machine's memory that has to stay free: below that the kernel ends whatever process it likes."""
    disk_left: float = 0.01
    """Share of the disk that its outputs lie on."""
    most_left: float = 4 * GIB
    """Bytes that are enough of either, however large it is."""
    seconds: float = 14 * 24 * 3600.0


def watch(limits: Limits, place: Path) -> Callable[[], str | None]:
    """A function that says why a stage that began now has to end; None while it need not. `place` is on its disk."""
    begun, before = time.monotonic(), _processes()

    def look() -> str | None:
        if time.monotonic() - begun > limits.seconds:
            return f"it has run for {limits.seconds / 3600:g} hours"
        if (more := _processes() - before) > limits.processes:
            return f"it has started {more:,} processes, and may have {limits.processes:,}"
        memory = psutil.virtual_memory()
        if memory.available < min(limits.memory_left * memory.total, limits.most_left):
            return f"the machine has {memory.available / GIB:.1f} GiB of memory left, of {memory.total / GIB:.1f}"
        if (files := os.statvfs(place)).f_files and files.f_favail < min(limits.disk_left * files.f_files, LEAST_FILES):
            return f"the disk of {place} takes {files.f_favail:,} more files, of {files.f_files:,}"
        disk = shutil.disk_usage(place)
        if disk.free < min(limits.disk_left * disk.total, limits.most_left):
            return f"the disk of {place} has {disk.free / GIB:.2f} GiB left, of {disk.total / GIB:.1f}"
        return None

    return look


def _processes() -> int:
    """Of the whole machine: to look for those of one stage takes fifty times as long."""
    return len(psutil.pids())
