"""Files that a test changes as a person does, or changes and puts back."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path


def edit(file: Path, old: str, new: str) -> None:
    """Replace a text wherever it stands in a file. Fails where it does not, since the file would stay as it is."""
    text = file.read_text()
    assert old in text, f"{file} has no {old!r}"
    file.write_text(text.replace(old, new))


@contextmanager
def changed(file: Path, change: Callable[[bytes], bytes]) -> Iterator[None]:
    """Give a file another content until the end of the context; also one that is not to be written to."""
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
    """Have a file or folder lie elsewhere until the end of the context."""
    path.rename(to)
    try:
        yield to
    finally:
        to.rename(path)
