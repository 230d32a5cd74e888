"""Heads as files in a folder."""

import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tasks.core.errors import Unavailable
from tasks.core.files import create_private_file, open_regular_file
from tasks.ledger.head_files import MAX_HEAD_BYTES, head_filename, parse_tree_size


class FolderPlace:
    """Folder in which signed heads are published.

    `add` creates the folder, but not its parent. If the parent is missing, a disk is probably not mounted, and the
    folder counts as unavailable rather than empty.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    @property
    def name(self) -> str:
        return str(self._folder)

    def sizes(self) -> set[int]:
        with self._translate_errors():
            names = [path.name for path in self._folder.iterdir()] if self._exists() else []
        return {size for name in names if (size := parse_tree_size(name)) is not None}

    def read(self, sizes: set[int]) -> dict[int, bytes]:
        with self._translate_errors():
            return {size: _read_head(self._folder / head_filename(size)) for size in sorted(sizes & self.sizes())}

    def path(self, size: int) -> Path:
        return self._folder / head_filename(size)

    def add(self, heads: dict[int, bytes]) -> None:
        with self._translate_errors():
            if heads and not self._exists():
                self._folder.mkdir(exist_ok=True)
            for size, data in sorted(heads.items()):
                if create_private_file(self._folder / head_filename(size), data):
                    (self._folder / head_filename(size)).chmod(0o444)

    def _exists(self) -> bool:
        if not self._folder.parent.is_dir():
            raise FileNotFoundError(2, "there is no such folder", str(self._folder.parent))
        return self._folder.is_dir()

    @contextmanager
    def _translate_errors(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise Unavailable(f"{self.name} cannot be used ({error.strerror or error})") from None


def _read_head(path: Path) -> bytes:
    if not stat.S_ISREG(path.stat().st_mode):
        return b""
    with open_regular_file(path) as file:
        return file.read(MAX_HEAD_BYTES + 1)
