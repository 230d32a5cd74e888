"""What other users of the machine could enter or read."""

import contextlib
import os
import stat
from collections.abc import Iterator
from pathlib import Path

from tasks.core.files import UMASK

CACHED = 0o444
"""DVC gives every file of its cache these permissions, and so do releases; the folders that hold them are shut."""


def _below(state: Path) -> Iterator[Path]:
    """It, and all below, also where a folder goes meanwhile."""
    yield state
    for folder, folders, names in os.walk(state):
        yield from (Path(folder, name) for name in (*folders, *names))


def open_to_others(state: Path) -> list[str]:
    """Folders at and below `state` that others may enter, and files that they may read but for those. What goes while
    it is looked at, as files of a run that works, is no finding."""
    told = []
    for path in _below(state):
        with contextlib.suppress(FileNotFoundError):
            found = path.lstat().st_mode
            mode = stat.S_IMODE(found)
            if not stat.S_ISLNK(found) and mode & UMASK and (stat.S_ISDIR(found) or mode != CACHED):
                told.append(f"{mode:04o} {path.relative_to(state)}")
    return told
