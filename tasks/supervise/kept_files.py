"""Files that a stage keeps between runs, and their removal if unreviewed code left too little space on the disk.

Supervisors of experiments share a lock beside each folder, where no stage reaches it. The last one to end removes what
all of them wrote: each appends to the lock file from when on files are to be removed.
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
from tasks.core.machine.locks import hold_shared, try_hold

FINISHED_WORK = re.compile(r"step-[0-9]{9}|[0-9a-f]{64}")
"""Pattern of the names of finished work in an entry of a folder of kept files: checkpoints, tables of a source."""
FOLDER_FLAGS = os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
MAX_DEPTH = 40
"""Maximum depth to which a folder is searched in place, since each level takes an open file."""
MAX_SECONDS = 300.0
"""Maximum duration of a removal in seconds."""


@contextmanager
def in_use(folders: Iterable[Path]) -> Iterator[None]:
    """Keep other supervisors from removing files of the folders during the block."""
    with ExitStack() as locks:
        for folder in folders:
            locks.enter_context(hold_shared(_lock(folder), f"files in {folder} are removed"))
        yield


def mark(folders: Iterable[Path], since: float) -> None:
    """Have files that were written since a time removed from the folders by the next `remove_marked`.

    Args:
        folders: Folders of kept files.
        since: Unix time. It is compared with the kernel's time of change, which a stage cannot set.
    """
    for folder in folders:
        with _lock(folder).open("a") as file:
            file.write(f"{since!r}\n")


def remove_marked(folders: Iterable[Path], lacks_space: Callable[[], bool]) -> None:
    """Remove files from marked folders that no supervisor uses now.

    Finished work is removed too if the disk still lacks space without the rest. Files that cannot be removed stay. The
    mark of a folder that is in use, or that takes longer than MAX_SECONDS, stays for the next supervisor.

    Args:
        folders: Folders of kept files.
        lacks_space: Function that returns whether the disk has too little space.
    """
    ends_at = time.monotonic() + MAX_SECONDS
    with ExitStack() as locks:
        free = [folder for folder in folders if locks.enter_context(try_hold(_lock(folder)))]
        marked = {folder: min(map(float, times)) for folder in free if (times := _lock(folder).read_text().split())}
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
            os.truncate(_lock(folder), 0)


def _lock(folder: Path) -> Path:
    return folder.with_name(f"{folder.name}.use")


class _Removal:
    """One pass over a folder of kept files, which follows no links and holds no list of the files."""

    def __init__(self, since: float, spares_finished: bool, ends_at: float) -> None:
        self._since = since
        self._spares_finished = spares_finished
        self._ends_at = ends_at
        self._top = -1
        self._moved = False
        """Whether a folder that lay too deep now lies at the top, where the pass may have been already."""

    def run(self, folder: Path) -> None:
        self._top = os.open(folder, FOLDER_FLAGS)
        try:
            self._clear(self._top, 0)
            while self._moved:
                self._moved = False
                self._clear(self._top, 0)
        finally:
            os.close(self._top)

    def _clear(self, folder: int, depth: int) -> None:
        with os.scandir(folder) as entries:
            for entry in entries:
                if time.monotonic() > self._ends_at:
                    raise TimeLimitExceeded(
                        f"not all that a stage wrote was removed in {MAX_SECONDS:g} s; the next one of the same code "
                        "that leaves too little space has the rest removed"
                    )
                with suppress(OSError):
                    self._remove(entry.name, folder, depth)

    def _remove(self, name: str, parent: int, depth: int) -> None:
        if self._spares_finished and depth == 1 and FINISHED_WORK.fullmatch(name):
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
                os.rename(name, secrets.token_hex(16), src_dir_fd=parent, dst_dir_fd=self._top)
                self._moved = True
                return
        finally:
            os.close(folder)
        if is_new:
            os.rmdir(name, dir_fd=parent)


def _open_folder(name: str, parent: int, mode: int) -> int:
    """Return a handle of a folder, whose owner is given access first if they have none."""
    if mode & stat.S_IRWXU != stat.S_IRWXU:
        closed = os.open(name, FOLDER_FLAGS | os.O_PATH, dir_fd=parent)
        try:
            os.chmod(f"/proc/self/fd/{closed}", mode | stat.S_IRWXU)  # noqa: PTH101  # fchmod takes no such handle
        finally:
            os.close(closed)
    return os.open(name, FOLDER_FLAGS, dir_fd=parent)
