"""Comparison of locations: two spellings of a location can refer to the same file."""

import os
import posixpath
from pathlib import Path

from tasks.core.errors import InputError
from tasks.sources.sources import fill_variables


def normalised(location: str) -> str:
    """Normalise the spelling of a location. The result does not depend on the machine."""
    return posixpath.normpath(location).replace("//", "/")


def resolved(location: str, root: Path) -> str:
    """Resolve a location on this machine: fill in variables, follow links, and start relative paths at `root`.

    A location that cannot be resolved on this machine is only normalised.
    """
    try:
        filled = fill_variables(location)
    except InputError:  # a variable is not set here
        return normalised(location)
    scheme, found, rest = filled.partition("://")
    if found:
        return f"{scheme.lower()}://{posixpath.normpath(f'/{rest}').lstrip('/')}"
    try:
        return os.path.realpath(root / Path(filled).expanduser())
    except (OSError, ValueError, RuntimeError):  # the location is not a path
        return normalised(location)
