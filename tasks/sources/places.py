"""Where a source lies: whether two ways to write a location name one place."""

import os
import posixpath
from pathlib import Path

from tasks.core.errors import InputError
from tasks.sources.sources import expand


def written(location: str) -> str:
    """A location without what may be written otherwise in the same text; the same on every machine."""
    return posixpath.normpath(location).replace("//", "/")


def place(location: str, root: Path) -> str:
    """What a location names on this machine: variables filled, links followed, relative ones from `root`."""
    try:
        filled = expand(location)
    except InputError:  # a variable that is not set here
        return written(location)
    scheme, found, rest = filled.partition("://")
    if found:
        return f"{scheme.lower()}://{posixpath.normpath(f'/{rest}').lstrip('/')}"
    try:
        return os.path.realpath(root / Path(filled).expanduser())
    except (OSError, ValueError, RuntimeError):  # it is no path
        return written(location)
