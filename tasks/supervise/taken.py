"""What a stage left: plain files in plain folders, or nothing of it counts."""

import os
import shutil
import stat
from collections.abc import Iterator
from pathlib import Path

from tasks.core.errors import Refused

DENSE_FROM = 2**20
"""Bytes from which a file has to be as large on the disk as it says."""


def take(left: Path, target: Path, stage: str) -> None:
    """Move what `stage` left to `target`, whole, in place of what is there.

    Raises Refused where something in it is no plain file or folder: a link, a pipe, a device, a file that runs as
    somebody else or that says it is larger than it is.
    """
    for path in _all(left):
        if why := _why_not(path.lstat()):
            raise Refused(f"stage {stage} left {path.relative_to(left.parent)}, which {why}; nothing of it is taken")
    for path in _all(left):
        path.chmod(0o700 if path.is_dir() else 0o600)
    if target.exists():
        shutil.rmtree(target) if target.is_dir() else target.unlink()
    target.parent.mkdir(parents=True, exist_ok=True)
    left.rename(target)


def _all(path: Path) -> Iterator[Path]:
    yield path
    if path.is_dir() and not path.is_symlink():
        for inner in path.iterdir():
            yield from _all(inner)


def _why_not(found: os.stat_result) -> str | None:
    if stat.S_ISDIR(found.st_mode):
        return None
    if not stat.S_ISREG(found.st_mode):
        return "is no plain file"
    if found.st_nlink > 1:
        return "has another name as well"
    if found.st_mode & (stat.S_ISUID | stat.S_ISGID):
        return "would run as somebody else"
    if found.st_size > DENSE_FROM and found.st_blocks * 512 < found.st_size // 2:
        return f"says that it has {found.st_size:,} bytes and has fewer"
    return None
