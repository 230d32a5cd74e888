"""Edits of files in tests, for good or for a block."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path


def edit(file: Path, old: str, new: str) -> None:
    """Replace all occurrences of a text in a file. Fails if there are none."""
    text = file.read_text()
    assert old in text, f"{file} has no {old!r}"
    file.write_text(text.replace(old, new))


@contextmanager
def changed(file: Path, change: Callable[[bytes], bytes]) -> Iterator[None]:
    """Change a file's content while the block runs, even if the file is read-only."""
    before = file.read_bytes()
    after = change(before)
    assert after != before, f"{file} stays as it is"
    file.chmod(0o600)
    file.write_bytes(after)
    try:
        yield
    finally:
        file.write_bytes(before)


@contextmanager
def moved(path: Path, to: Path) -> Iterator[Path]:
    """Move a file or folder while the block runs."""
    path.rename(to)
    try:
        yield to
    finally:
        to.rename(path)
