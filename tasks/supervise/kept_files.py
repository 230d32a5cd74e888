"""Files that a stage keeps between runs, and their removal if it left too little space on the disk."""

import subprocess
from collections.abc import Callable, Iterable
from contextlib import suppress
from pathlib import Path

from tasks.core.machine.locks import is_held

FINISHED_WORK = r"\./[^/]+/(step-[0-9]{9}|[0-9a-f]{64})(/.*)?"
"""Regular expression, for find(1), of paths in a folder of kept files: checkpoints, tables of a source."""


def remove_written(folders: Iterable[Path], since: float, lacks_space: Callable[[], bool]) -> None:
    """Remove what was written to folders of kept files, and spare finished work unless the disk lacks space even then.

    What another process holds the lock of is left alone. What cannot be removed stays.

    Args:
        folders: Folders of kept files.
        since: Time, in seconds since 1970, before which the files were there. The kernel's time of change is compared,
            which a stage cannot set.
        lacks_space: Returns whether the disk has too little space.
    """
    entries = [path for folder in folders for path in folder.iterdir() if not _is_in_use(path)]
    for spared in (["!", "-regex", FINISHED_WORK], []):
        for path in entries:
            _find(path, "-type", "d", "!", "-perm", "-700", "-execdir", "chmod", "u+rwx", "{}", ";")
            _find(path, "-newerct", f"@{since}", *spared, "-delete")
        if not lacks_space():
            return


def _find(path: Path, *words: str) -> None:
    """Run find(1), which goes through folders of any depth and follows no links."""
    command = ["find", f"./{path.name}", "-regextype", "posix-extended", *words]
    subprocess.run(command, cwd=path.parent, check=False, capture_output=True)


def _is_in_use(path: Path) -> bool:
    """Return whether a running stage holds the lock of these files (`checkpoints.py`, `source_cache.py`)."""
    for lock in (path, path.with_name(f"{path.name}.lock"), path / ".lock"):
        with suppress(OSError):
            if is_held(lock):
                return True
    return False
