"""Files that a stage keeps between runs, and their removal if it left too little space on the disk."""

import subprocess
from collections.abc import Callable, Iterable
from contextlib import suppress
from pathlib import Path

from tasks.core.machine.locks import is_held

FINISHED_WORK = r"\./[^/]+/(step-[0-9]{9}|[0-9a-f]{64})(/.*)?"
"""Pattern, for find(1), of paths of finished work in a folder of kept files: checkpoints, tables of a source."""


def remove_written(folders: Iterable[Path], since: float, lacks_space: Callable[[], bool]) -> None:
    """Remove files that were written to folders of kept files since a time.

    Finished work is removed too if the disk still lacks space without the rest. Files that another process has locked,
    and files that cannot be removed, stay.

    Args:
        folders: Folders of kept files.
        since: Unix time. It is compared with the kernel's time of change, which a stage cannot set.
        lacks_space: Function that returns whether the disk has too little space.
    """
    entries = [path for folder in folders for path in folder.iterdir() if not _is_in_use(path)]
    for spared in (["!", "-regex", FINISHED_WORK], []):
        for path in entries:
            _find(path, "-type", "d", "!", "-perm", "-700", "-execdir", "chmod", "u+rwx", "{}", ";")
            _find(path, "-newerct", f"@{since}", *spared, "-delete")
        if not lacks_space():
            return


def _find(path: Path, *words: str) -> None:
    """Run find(1), which handles folders of any depth and follows no links."""
    command = ["find", f"./{path.name}", "-regextype", "posix-extended", *words]
    subprocess.run(command, cwd=path.parent, check=False, capture_output=True)


def _is_in_use(path: Path) -> bool:
    """Return whether a running stage holds the lock of these files (`checkpoints.py`, `source_cache.py`)."""
    for lock in (path, path.with_name(f"{path.name}.lock"), path / ".lock"):
        with suppress(OSError):
            if is_held(lock):
                return True
    return False
