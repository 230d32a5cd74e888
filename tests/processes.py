"""Processes of the system, which may end while a test reads their properties."""

import contextlib

import psutil


def title(process: psutil.Process) -> str:
    """Return the command line of a process; empty if the process has ended."""
    with contextlib.suppress(psutil.NoSuchProcess):
        return " ".join(process.cmdline())
    return ""
