"""Comparison of the locations of sources, because two spellings of a location can refer to the same file."""

import os
import posixpath
from pathlib import Path

from tasks.core.errors import InputError
from tasks.sources.location_variables import fill_variables


def normalise_location(location: str) -> str:
    """Normalise the spelling of a location. The result does not depend on the machine."""
    return posixpath.normpath(location).replace("//", "/")


def resolve_location(location: str, root: Path) -> str:
    """Resolve a location on this machine: fill in variables, follow links, and resolve relative paths against `root`.

    A location that cannot be resolved on this machine is only normalised. Of a database, the result has no user,
    password or options, and a SQLite database is its file.
    """
    try:
        filled = fill_variables(location)
    except InputError:  # a variable is not set here
        return normalise_location(location)
    filled = filled.removeprefix("sqlite:///")
    scheme, found, rest = filled.partition("://")
    if found and scheme.startswith("postgresql"):
        # Every user of a database may find the same rows there.
        host, _, database = rest.rpartition("@")[2].partition("?")[0].partition("/")
        return f"postgresql://{host.lower().removesuffix(':5432')}/{database}"
    if found:
        return f"{scheme.lower()}://{posixpath.normpath(f'/{rest}').lstrip('/')}"
    try:
        return os.path.realpath(root / Path(filled).expanduser())
    except (OSError, ValueError, RuntimeError):  # the location is not a path
        return normalise_location(location)
