"""Copies, in the run's worktree, of files that a stage is still writing.

The copies are unchecked and used only for display. When the stage has finished, its outputs replace them.
"""

import os
import stat
import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO

COPY_SECONDS = 2.0
MAX_COPIED_BYTES = 2**26
"""Maximum number of bytes that are copied from a file."""
OPEN_FLAGS = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC


@contextmanager
def copy_growing_files(names: Iterable[str], stage_folder: Path, target: Path) -> Iterator[None]:
    """Copy growing files from the stage's folder `stage_folder` to `target` until the block ends."""
    ended = threading.Event()
    threads = [
        threading.Thread(target=_copy_until_ended, args=(name, stage_folder, target, ended), daemon=True)
        for name in names
    ]
    for thread in threads:
        thread.start()
    try:
        yield
    finally:
        ended.set()
        for thread in threads:
            thread.join()


def _copy_until_ended(name: str, stage_folder: Path, target: Path, ended: threading.Event) -> None:
    """Copy a file repeatedly until `ended` is set. Errors are ignored, so that they do not stop the stage."""
    with suppress(OSError):
        target.mkdir(parents=True, exist_ok=True)
        (target / name).unlink(missing_ok=True)
        inode, running = 0, True
        while running:
            running = not ended.wait(COPY_SECONDS)
            inode = _append_new_bytes(name, stage_folder, target / name, inode)


def _append_new_bytes(name: str, stage_folder: Path, target: Path, inode: int) -> int:
    with suppress(OSError), _open_regular_file(stage_folder, name) as file:
        found = os.fstat(file.fileno())
        copied_bytes = target.stat().st_size if found.st_ino == inode else 0
        if found.st_size > copied_bytes or found.st_ino != inode:
            file.seek(copied_bytes)
            with target.open("ab" if copied_bytes else "wb") as grown:
                grown.write(file.read(MAX_COPIED_BYTES - copied_bytes))
        return found.st_ino
    return inode


def _open_regular_file(folder: Path, name: str) -> IO[bytes]:
    """Open a regular file without following links.

    The stage could replace the file or its folder with a link at any time.
    """
    place = os.open(folder, OPEN_FLAGS | os.O_DIRECTORY)
    try:
        handle = os.open(name, OPEN_FLAGS, dir_fd=place)
    finally:
        os.close(place)
    if not stat.S_ISREG(os.fstat(handle).st_mode):
        os.close(handle)
        raise FileNotFoundError(name)
    return os.fdopen(handle, "rb")
