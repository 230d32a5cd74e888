"""Files and folders that a stage reads outside its run, opened before anything is checked about them.

A path can lead elsewhere a moment later: whoever may write its folder can replace it by a link. So the same handle is
checked and mounted.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


class OpenFiles:
    """Handles of files and folders, by the paths with which they were opened.

    They allow no reading or writing (O_PATH).
    """

    def __init__(self) -> None:
        self.handles: dict[Path, int] = {}
        self._duplicates: list[int] = []

    def real_path(self, path: Path) -> Path:
        """Return where `path` led when it was opened, without links; if nothing is there, resolve it now."""
        return self.proc_path(path).readlink() if self.open_if_exists(path) else path.resolve()

    def proc_path(self, path: Path) -> Path:
        """Return the path of the open handle in /proc, which stays valid if the file moves; `path` if none is open."""
        return Path(f"/proc/self/fd/{self.handles[path]}") if self.open_if_exists(path) else path

    def open_if_exists(self, path: Path) -> bool:
        """Return whether something exists at a path. The first call opens it."""
        if path not in self.handles:
            try:
                self.handles[path] = os.open(path, os.O_PATH | os.O_CLOEXEC)
            except OSError:
                return False
        return True

    def duplicate(self, path: Path) -> int:
        """Return another handle of an open path, since bubblewrap closes each handle that it has mounted."""
        self._duplicates.append(os.dup(self.handles[path]))
        return self._duplicates[-1]

    def close(self) -> None:
        for handle in (*self.handles.values(), *self._duplicates):
            os.close(handle)


@contextmanager
def open_files() -> Iterator[OpenFiles]:
    each = OpenFiles()
    try:
        yield each
    finally:
        each.close()
