"""How many cores this process may use: fewer than the machine has, in a container or where somebody set it so."""

import os
from math import ceil
from pathlib import Path

CGROUPS = Path("/sys/fs/cgroup")


def usable(cgroups: Path = CGROUPS, own: Path = Path("/proc/self/cgroup")) -> int:
    """At least 1: the cores that the scheduler may give it, and no more than the processor time of its cgroups (v2).

    `own` says in which cgroup the process is.
    """
    given = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return max(1, min([given, *_quotas(cgroups, own)]))


def _quotas(cgroups: Path, own: Path) -> list[int]:
    """The cores that each cgroup around the process grants, rounded up; those without a limit are left out."""
    try:
        lines = own.read_text().splitlines()
    except OSError:
        return []
    inside = next((line.removeprefix("0::/") for line in lines if line.startswith("0::/")), "")
    folders = [cgroups / inside, *(cgroups / parent for parent in Path(inside).parents)]
    return [ceil(int(quota) / int(period)) for folder in folders for quota, period in _limit(folder / "cpu.max")]


def _limit(path: Path) -> list[tuple[str, str]]:
    """Microseconds of processor time, and in how many of the clock's; nothing where there is no limit."""
    try:
        quota, period = path.read_text().split()
    except (OSError, ValueError):
        return []
    return [] if quota == "max" else [(quota, period)]
