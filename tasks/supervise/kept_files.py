"""Files that a stage keeps between runs, and their removal if unreviewed code has left too little disk space.

Each folder of kept files has a lock file next to it, which stages cannot access. Supervisors of experiments hold a
shared lock on it while their stage runs. A supervisor that finds too little disk space writes a time to the lock file.
The last supervisor that uses the folder then removes the files that were written after this time.
"""

import os
import re
import secrets
import stat
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

from tasks.core.errors import TimeLimitExceeded
from tasks.core.machine.locks import hold_shared_lock, try_exclusive_lock

FINISHED_WORK_PATTERN = re.compile(r"step-[0-9]{9}|[0-9a-f]{64}")
"""Pattern of file and folder names of finished work: checkpoints, tables of sources, and answers of models."""
FOLDER_FLAGS = os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
MAX_DEPTH = 40
"""Maximum depth at which folders are removed in place. Each level needs an open file, so deeper folders are first moved
to the top level."""
MAX_REMOVAL_SECONDS = 300.0


@contextmanager
def prevent_removal(folders: Iterable[Path]) -> Iterator[None]:
    """Prevent other supervisors from removing files in the folders during the block."""
    with ExitStack() as locks:
        for folder in folders:
            locks.enter_context(hold_shared_lock(_lock_path(folder), f"files in {folder} are removed"))
        yield


def mark_for_removal(folders: Iterable[Path], since: float) -> None:
    """Mark files that were written since a given time for removal by `remove_marked`.

    Args:
        folders: Folders of kept files.
        since: Unix time. It is compared with the change time of the inode, which a stage cannot set.
    """
    for folder in folders:
        with _lock_path(folder).open("a") as file:
            file.write(f"{since!r}\n")


def remove_marked(folders: Iterable[Path], lacks_space: Callable[[], bool]) -> None:
    """Remove marked files from the folders that no supervisor is using.

    Finished work is removed only if the disk still has too little space after the other files are gone. Files that
    cannot be removed are kept. If a folder is in use or its removal takes too long, its mark remains for the next
    supervisor.

    Args:
        folders: Folders of kept files.
        lacks_space: Function that returns whether the disk has too little space.
    """
    ends_at = time.monotonic() + MAX_REMOVAL_SECONDS
    with ExitStack() as locks:
        free = [folder for folder in folders if locks.enter_context(try_exclusive_lock(_lock_path(folder)))]
        marked = {
            folder: min(map(float, times)) for folder in free if (times := _lock_path(folder).read_text().split())
        }
        try:
            for spares_finished in (True, False):
                for folder, since in marked.items():
                    _Removal(since, spares_finished, ends_at).run(folder)
                if not lacks_space():
                    break
        except TimeLimitExceeded as error:
            print(error, file=sys.stderr, flush=True)
            return
        for folder in marked:
            os.truncate(_lock_path(folder), 0)


def _lock_path(folder: Path) -> Path:
    return folder.with_name(f"{folder.name}.use")


class _Removal:
    def __init__(self, since: float, spares_finished: bool, ends_at: float) -> None:
        self._since = since
        self._spares_finished = spares_finished
        self._ends_at = ends_at
        self._top_handle = -1
        self._has_moved_folder = False
        """Whether a deeply nested folder was moved to the top level, so that another pass is needed."""

    def run(self, folder: Path) -> None:
        self._top_handle = os.open(folder, FOLDER_FLAGS)
        try:
            self._clear(self._top_handle, 0)
            while self._has_moved_folder:
                self._has_moved_folder = False
                self._clear(self._top_handle, 0)
        finally:
            os.close(self._top_handle)

    def _clear(self, folder: int, depth: int) -> None:
        with os.scandir(folder) as entries:
            for entry in entries:
                if time.monotonic() > self._ends_at:
                    raise TimeLimitExceeded(
                        f"not all that a stage wrote was removed in {MAX_REMOVAL_SECONDS:g} s; the next one of the "
                        "same code that leaves too little space has the rest removed"
                    )
                with suppress(OSError):
                    self._remove(entry.name, folder, depth)

    def _remove(self, name: str, parent: int, depth: int) -> None:
        if self._spares_finished and depth == 1 and FINISHED_WORK_PATTERN.fullmatch(name):
            return
        found = os.stat(name, dir_fd=parent, follow_symlinks=False)
        is_new = found.st_ctime > self._since
        if not stat.S_ISDIR(found.st_mode):
            if is_new:
                os.unlink(name, dir_fd=parent)
            return
        folder = _open_folder(name, parent, found.st_mode)
        try:
            if depth < MAX_DEPTH:
                self._clear(folder, depth + 1)
            elif is_new:
                os.rename(name, secrets.token_hex(16), src_dir_fd=parent, dst_dir_fd=self._top_handle)
                self._has_moved_folder = True
                return
        finally:
            os.close(folder)
        if is_new:
            os.rmdir(name, dir_fd=parent)


def _open_folder(name: str, parent: int, mode: int) -> int:
    if mode & stat.S_IRWXU != stat.S_IRWXU:
        closed = os.open(name, FOLDER_FLAGS | os.O_PATH, dir_fd=parent)
        try:
            os.chmod(f"/proc/self/fd/{closed}", mode | stat.S_IRWXU)  # noqa: PTH101  # fchmod takes no such handle
        finally:
            os.close(closed)
    return os.open(name, FOLDER_FLAGS, dir_fd=parent)
