"""Environment variables of processes that work for runs."""

import sys
from collections.abc import Mapping
from pathlib import Path

CODE_LOADING_VARIABLES = ("PYTHON", "LD_PRELOAD", "LD_AUDIT", "DYLD_INSERT_LIBRARIES", "BASH_ENV")
"""Beginnings of the names of variables by which a process loads code that nobody asked for. LD_LIBRARY_PATH is not
among them, because some installations find CUDA by it."""

BYTECODE_FOLDER = Path(sys.prefix) / "hallmark-bytecode"
"""Folder for the bytecode of processes that serve runs. Bytecode beside a source file is not used, because it may
differ from the source."""
ISOLATION_VARIABLES = {"PYTHONSAFEPATH": "1", "PYTHONNOUSERSITE": "1", "PYTHONPYCACHEPREFIX": str(BYTECODE_FOLDER)}
"""Variables for a process whose children are started by a library without `-I`: none of them imports modules from the
folder that it starts in."""


def isolated(environment: Mapping[str, str]) -> dict[str, str]:
    """Return the environment in which a process and its children import installed packages only."""
    return {
        name: value for name, value in environment.items() if not name.startswith(CODE_LOADING_VARIABLES)
    } | ISOLATION_VARIABLES
