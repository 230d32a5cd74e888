"""Checkpoints of trainings that failed and that nobody has continued. A successful training removes its own."""

from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

from tasks.cleanup.run_files import remove
from tasks.core.layout import EXPERIMENTS_FOLDER
from tasks.core.machine.locks import try_exclusive_lock

CHECKPOINTS_FOLDER = "checkpoints"


def find_unused(state: Path, before: datetime | None) -> list[Path]:
    """Return the folders of checkpoints in which nothing was written since a time; none if the time is None."""
    if before is None:
        return []
    return [folder for folder in _folders(state) if _last_change(folder) < before.timestamp()]


def remove_unused(folder: Path, before: datetime) -> bool:
    """Remove a folder of checkpoints if no training holds its lock or has written to it since `before`.

    Return whether it was removed.
    """
    with try_exclusive_lock(folder.with_suffix(".lock")) as mine:
        if not mine or _last_change(folder) >= before.timestamp():
            return False
        remove(folder)
        return True


def _folders(state: Path) -> Iterator[Path]:
    for world in (state, state / EXPERIMENTS_FOLDER):
        yield from (path for path in sorted((world / CHECKPOINTS_FOLDER).glob("*/*")) if _is_folder(path))


def _is_folder(path: Path) -> bool:
    return path.is_dir() and not path.is_symlink()


def _last_change(folder: Path) -> float:
    return max((path.lstat().st_mtime for path in (folder, *folder.rglob("*"))), default=0.0)
