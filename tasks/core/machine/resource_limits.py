"""Cores and memory that this process may use; in a container, or with a CPU affinity, fewer than the machine has."""

import os
from collections.abc import Iterator
from math import ceil
from pathlib import Path

import psutil

CGROUP_ROOT = Path("/sys/fs/cgroup")
OWN_CGROUP_FILE = Path("/proc/self/cgroup")


def cores(cgroups: Path = CGROUP_ROOT, own: Path = OWN_CGROUP_FILE) -> int:
    """Return the number of usable cores, at least 1: the smaller of the CPU affinity and the quotas of its cgroups."""
    given = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return max(1, min([given, *_quotas(cgroups, own)]))


def memory(cgroups: Path = CGROUP_ROOT, own: Path = OWN_CGROUP_FILE) -> int:
    """Return the usable memory in bytes: the smaller of the machine's memory and the limits of its cgroups."""
    return min([psutil.virtual_memory().total, *(limit for (limit,) in _limits(cgroups, own, "memory.max", 1))])


def _quotas(cgroups: Path, own: Path) -> list[int]:
    """Return the number of cores that each cgroup of the process grants, rounded up.

    `cpu.max` holds two numbers of microseconds: processor time, and the period in which it may be used.
    """
    return [ceil(quota / period) for quota, period in _limits(cgroups, own, "cpu.max", 2)]


def _limits(cgroups: Path, own: Path, name: str, count: int) -> Iterator[list[int]]:
    """Yield the numbers in a file of the process's cgroup and of each parent. A file with `max` sets no limit."""
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
