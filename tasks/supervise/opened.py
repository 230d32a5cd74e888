"""What a stage reads outside its run, opened before anything is checked about it.

A name can lead elsewhere a moment later: whoever may write the folder exchanges what lies there by a link. So the same
handle is checked and mounted.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


class Opened:
    """Handles of files and folders, by the path that they were opened with. None of them can be read or written."""

    def __init__(self) -> None:
        self.handles: dict[Path, int] = {}

    def real(self, path: Path) -> Path:
        """The place of what a path led to when it was opened, without links; of what is not there, the path's own."""
        return self.itself(path).readlink() if self.holds(path) else path.resolve()

    def itself(self, path: Path) -> Path:
        """A path in /proc that leads to what is open, wherever it lies by now; where nothing is, the path."""
        return Path(f"/proc/self/fd/{self.handles[path]}") if self.holds(path) else path

    def holds(self, path: Path) -> bool:
        """Whether something is there. It is opened at the first question."""
        if path not in self.handles:
            try:
                self.handles[path] = os.open(path, os.O_PATH | os.O_CLOEXEC)
            except OSError:
                return False
        return True


@contextmanager
def opened() -> Iterator[Opened]:
    """Handles that are closed at the end of the block."""
    each = Opened()
    try:
        yield each
    finally:
        for handle in each.handles.values():
            os.close(handle)
