"""Hallmark's own code, for machines of a cluster that do not see this one's disk."""

import shutil
from pathlib import Path

TASKS = Path(__file__).parents[2]
"""`tasks/` of this worktree."""


def copied(folder: Path) -> Path:
    """`folder`, with a copy of `tasks/` alone in it, sources only."""
    shutil.copytree(
        TASKS, folder / TASKS.name, ignore=lambda at, names: [it for it in names if not _needed(Path(at, it))]
    )
    return folder


def _needed(path: Path) -> bool:
    return path.suffix == ".py" or (path.is_dir() and path.name != "__pycache__")
