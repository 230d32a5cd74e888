"""Work that stages keep between runs: checkpoints of trainings that nobody has continued, and answers of models.

A successful training removes its own checkpoints. Answers that are gone are asked again.
"""

from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

from tasks.cleanup.run_files import remove
from tasks.core.layout import EXPERIMENTS_FOLDER
from tasks.core.machine.locks import try_exclusive_lock

CHECKPOINTS_FOLDER, ANSWERS_FOLDER = "checkpoints", "answers"


def find_unused(state: Path, before: datetime | None) -> list[Path]:
    """Return the kept folders and files in which nothing was written since a time; none if the time is None."""
    if before is None:
        return []
    return [path for path in _kept_paths(state) if _last_change(path) < before.timestamp()]


def remove_unused(path: Path, before: datetime) -> bool:
    """Remove a kept folder or file if no stage holds its lock or has written to it since `before`.

    Return whether it was removed.
    """
    with try_exclusive_lock(path.with_suffix(".lock")) as mine:
        if not mine or _last_change(path) >= before.timestamp():
            return False
        remove(path)
        return True


def _kept_paths(state: Path) -> Iterator[Path]:
    for world in (state, state / EXPERIMENTS_FOLDER):
        yield from (path for path in sorted((world / CHECKPOINTS_FOLDER).glob("*/*")) if _is_folder(path))
        yield from (path for path in sorted((world / ANSWERS_FOLDER).glob("*/*")) if _is_answers_file(path))


def _is_folder(path: Path) -> bool:
    return path.is_dir() and not path.is_symlink()


def _is_answers_file(path: Path) -> bool:
    return path.is_file() and not path.is_symlink() and path.suffix != ".lock"


def _last_change(folder: Path) -> float:
    return max((path.lstat().st_mtime for path in (folder, *folder.rglob("*"))), default=0.0)
