"""Copy of Hallmark's code for machines of a cluster that do not share this machine's disk."""

import shutil
from pathlib import Path

TASKS_FOLDER = Path(__file__).parents[2]


def copy_sources(folder: Path) -> Path:
    shutil.copytree(
        TASKS_FOLDER,
        folder / TASKS_FOLDER.name,
        ignore=lambda at, names: [it for it in names if not _is_source(Path(at, it))],
    )
    return folder


def _is_source(path: Path) -> bool:
    return path.suffix == ".py" or (path.is_dir() and path.name != "__pycache__")
