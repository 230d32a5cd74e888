"""Files and folders outside the run that a stage reads, opened before they are checked.

A path can lead to another file a moment later, because anyone who can write to its folder can replace it with a link.
The same file descriptor is therefore checked and mounted.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


class OpenFiles:
    """File descriptors of files and folders, by the path with which they were opened.

    They are opened with O_PATH, which permits no reading or writing.
    """

    def __init__(self) -> None:
        self.handles: dict[Path, int] = {}
        self._duplicates: list[int] = []

    def real_path(self, path: Path) -> Path:
        """Return the path that `path` referred to when it was opened, with symbolic links resolved.

        If nothing exists at `path`, it is resolved now.
        """
        return self.proc_path(path).readlink() if self.open_if_exists(path) else path.resolve()

    def proc_path(self, path: Path) -> Path:
        """Return the path of the open file in /proc, which stays valid if the file moves; `path` if no file exists."""
        return Path(f"/proc/self/fd/{self.handles[path]}") if self.open_if_exists(path) else path

    def open_if_exists(self, path: Path) -> bool:
        """Return whether a file or folder exists at `path`. The first call opens it."""
        if path not in self.handles:
            try:
                self.handles[path] = os.open(path, os.O_PATH | os.O_CLOEXEC)
            except OSError:
                return False
        return True

    def duplicate(self, path: Path) -> int:
        """Return another file descriptor of an open path, because bubblewrap closes each one after mounting it."""
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
