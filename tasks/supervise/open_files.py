"""Files and folders outside the run that a stage reads, opened before they are checked.

Anyone who can write to a file's folder could replace the file with a link after the check. The same file descriptor is
therefore used for the check and for the mount.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


class OpenFiles:
    """File descriptors of files and folders, by the path at which they were opened.

    They are opened with O_PATH, which permits neither reading nor writing.
    """

    def __init__(self) -> None:
        self.descriptors: dict[Path, int] = {}
        self._duplicates: list[int] = []

    def real_path(self, path: Path) -> Path:
        """Return the path that `path` referred to when it was opened, with symbolic links resolved.

        If nothing exists at `path`, it is resolved now.
        """
        return self.proc_path(path).readlink() if self.open_if_exists(path) else path.resolve()

    def proc_path(self, path: Path) -> Path:
        """Return a path in /proc that leads to the open file even if the file is moved; `path` if no file exists."""
        return Path(f"/proc/self/fd/{self.descriptors[path]}") if self.open_if_exists(path) else path

    def open_if_exists(self, path: Path) -> bool:
        """Open the file or folder at `path` unless it is open already, and return whether it exists."""
        if path not in self.descriptors:
            try:
                self.descriptors[path] = os.open(path, os.O_PATH | os.O_CLOEXEC)
            except OSError:
                return False
        return True

    def duplicate(self, path: Path) -> int:
        """Return a new file descriptor of an open path.

        Each mount needs its own, because bubblewrap closes it afterwards.
        """
        self._duplicates.append(os.dup(self.descriptors[path]))
        return self._duplicates[-1]

    def close(self) -> None:
        for handle in (*self.descriptors.values(), *self._duplicates):
            os.close(handle)


@contextmanager
def open_files() -> Iterator[OpenFiles]:
    each = OpenFiles()
    try:
        yield each
    finally:
        each.close()
