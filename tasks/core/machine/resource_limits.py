"""Cores and memory that this process can use.

In a container, or with a CPU affinity, the process can use less than the machine has.
"""

import os
from collections.abc import Iterator
from math import ceil
from pathlib import Path

import psutil

CGROUP_ROOT = Path("/sys/fs/cgroup")
OWN_CGROUP_FILE = Path("/proc/self/cgroup")


def cores(cgroup_root: Path = CGROUP_ROOT, own_cgroup_file: Path = OWN_CGROUP_FILE) -> int:
    """Return the number of cores that this process can use, at least 1.

    CPU affinity and the quotas of the process's cgroups limit the number.
    """
    given = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return max(1, min([given, *_cpu_quotas(cgroup_root, own_cgroup_file)]))


def usable_memory_bytes(cgroup_root: Path = CGROUP_ROOT, own_cgroup_file: Path = OWN_CGROUP_FILE) -> int:
    """Return the amount of memory in bytes that this process can use.

    This is the machine's memory or, if lower, the smallest memory limit of the process's cgroups.
    """
    return min(
        [
            psutil.virtual_memory().total,
            *(limit for (limit,) in _cgroup_limits(cgroup_root, own_cgroup_file, "memory.max", 1)),
        ]
    )


def _cpu_quotas(cgroup_root: Path, own_cgroup_file: Path) -> list[int]:
    """Return the number of cores that each cgroup of the process grants, rounded up.

    `cpu.max` contains two numbers of microseconds: the processor time, and the period in which it can be used.
    """
    return [ceil(quota / period) for quota, period in _cgroup_limits(cgroup_root, own_cgroup_file, "cpu.max", 2)]


def _cgroup_limits(cgroup_root: Path, own_cgroup_file: Path, name: str, count: int) -> Iterator[list[int]]:
    try:
        lines = own_cgroup_file.read_text().splitlines()
    except OSError:
        return
    inside = next((line.removeprefix("0::/") for line in lines if line.startswith("0::/")), "")
    for folder in (cgroup_root / inside, *(cgroup_root / parent for parent in Path(inside).parents)):
        try:
            words = (folder / name).read_text().split()
        except OSError:
            continue
        if len(words) == count and all(word.isdecimal() for word in words):
            yield [int(word) for word in words]
