"""Environment variables of a run's processes."""

import sys
from collections.abc import Mapping
from pathlib import Path

CODE_LOADING_PREFIXES = ("PYTHON", "LD_PRELOAD", "LD_AUDIT", "DYLD_INSERT_LIBRARIES", "BASH_ENV")
"""Prefixes of environment variables that make a process load additional code. LD_LIBRARY_PATH is not included, because
some installations need it to find CUDA."""

BYTECODE_FOLDER = Path(sys.prefix) / "hallmark-bytecode"
"""Folder for the Python bytecode of a run's processes. They do not use `__pycache__` next to the source, because its
bytecode can differ from the source."""
ISOLATION_VARIABLES = {"PYTHONSAFEPATH": "1", "PYTHONNOUSERSITE": "1", "PYTHONPYCACHEPREFIX": str(BYTECODE_FOLDER)}
"""Environment variables for Python processes that a library starts without option `-I`. They keep such a process from
importing modules from its working directory or the user's site-packages."""


def isolated_environment(environment: Mapping[str, str]) -> dict[str, str]:
    """Return a copy of `environment` that makes a process and its children import only installed packages."""
    return {
        name: value for name, value in environment.items() if not name.startswith(CODE_LOADING_PREFIXES)
    } | ISOLATION_VARIABLES
