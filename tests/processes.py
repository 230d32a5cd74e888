"""Processes of the system, which may end while they are looked at."""

import contextlib

import psutil


def title(process: psutil.Process) -> str:
    """What it calls itself; the empty string where it is gone."""
    with contextlib.suppress(psutil.NoSuchProcess):
        return " ".join(process.cmdline())
    return ""
