"""The environment of processes that work for runs."""

import sys
from collections.abc import Mapping
from pathlib import Path

INTO_A_PROCESS = ("PYTHON", "LD_PRELOAD", "LD_AUDIT", "DYLD_INSERT_LIBRARIES", "BASH_ENV")
"""Beginnings of the names of variables by which a process loads code that nobody asked for. LD_LIBRARY_PATH is none of
them: some installations find CUDA by it."""

BYTECODE = Path(sys.prefix) / "hallmark-bytecode"
"""Where the bytecode of what serves runs is kept: that beside a source may say something else than the source."""
ISOLATED = {"PYTHONSAFEPATH": "1", "PYTHONNOUSERSITE": "1", "PYTHONPYCACHEPREFIX": str(BYTECODE)}
"""For a process whose children are started by a library, without `-I`: none imports what lies in its folder."""


def isolated(environment: Mapping[str, str]) -> dict[str, str]:
    """The environment for a process and its children that import what is installed, and nothing else."""
    return {name: value for name, value in environment.items() if not name.startswith(INTO_A_PROCESS)} | ISOLATED
