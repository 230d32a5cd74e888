"""Files and folders of a project's state that other users of the machine could enter or read."""

import contextlib
import os
import stat
from collections.abc import Iterator
from pathlib import Path

from tasks.core.files import STATE_UMASK

CACHED = 0o444
"""Permissions of files in DVC's cache and in releases; the folders around them are private."""


def _below(state: Path) -> Iterator[Path]:
    """Yield `state` and everything below; folders may be removed meanwhile."""
    yield state
    for folder, folders, names in os.walk(state):
        yield from (Path(folder, name) for name in (*folders, *names))


def open_to_others(state: Path) -> list[str]:
    """Return the folders at and below `state` that other users may enter, and the files that they may read.

    Files with mode CACHED do not count, nor do files of a running run that are removed meanwhile.
    """
    told = []
    for path in _below(state):
        with contextlib.suppress(FileNotFoundError):
            found = path.lstat().st_mode
            mode = stat.S_IMODE(found)
            if not stat.S_ISLNK(found) and mode & STATE_UMASK and (stat.S_ISDIR(found) or mode != CACHED):
                told.append(f"{mode:04o} {path.relative_to(state)}")
    return told
