"""What other users of the machine could enter or read."""

import stat
from pathlib import Path

from tasks.core.files import UMASK

CACHED = 0o444
"""DVC gives every file of its cache these permissions, and so do releases; the folders that hold them are shut."""


def open_to_others(state: Path) -> list[str]:
    """Folders at and below `state` that others may enter, and files that they may read but for those."""
    told = []
    for path in (state, *state.rglob("*")):
        mode = stat.S_IMODE(path.lstat().st_mode)
        if not path.is_symlink() and mode & UMASK and (path.is_dir() or mode != CACHED):
            told.append(f"{mode:04o} {path.relative_to(state)}")
    return told
