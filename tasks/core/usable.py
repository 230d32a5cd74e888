"""What this process may use of its machine: less than that has, in a container or where somebody set it so."""

import os
from collections.abc import Iterator
from math import ceil
from pathlib import Path

import psutil

CGROUPS = Path("/sys/fs/cgroup")
OWN = Path("/proc/self/cgroup")
"""In which cgroup (v2) the process is."""


def cores(cgroups: Path = CGROUPS, own: Path = OWN) -> int:
    """At least 1: those that the scheduler may give it, and no more than the processor time of its cgroups."""
    given = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return max(1, min([given, *_quotas(cgroups, own)]))


def memory(cgroups: Path = CGROUPS, own: Path = OWN) -> int:
    """Bytes: of the machine, and no more than its cgroups may have."""
    return min([psutil.virtual_memory().total, *(limit for (limit,) in _limits(cgroups, own, "memory.max", 1))])


def _quotas(cgroups: Path, own: Path) -> list[int]:
    """The cores that each cgroup around the process grants, rounded up. The file has microseconds of processor time,
    and in how many of the clock's."""
    return [ceil(quota / period) for quota, period in _limits(cgroups, own, "cpu.max", 2)]


def _limits(cgroups: Path, own: Path, name: str, count: int) -> Iterator[list[int]]:
    """The numbers in this file of each cgroup around the process: those without a limit (`max`) are left out."""
    try:
        lines = own.read_text().splitlines()
    except OSError:
        return
    inside = next((line.removeprefix("0::/") for line in lines if line.startswith("0::/")), "")
    for folder in (cgroups / inside, *(cgroups / parent for parent in Path(inside).parents)):
        try:
            words = (folder / name).read_text().split()
        except OSError:
            continue
        if len(words) == count and all(word.isdecimal() for word in words):
            yield [int(word) for word in words]
