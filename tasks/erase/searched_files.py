"""Files that a search for a person reads, and the list of what it could not read.

Links are not followed, except those of the folder's own first level: a cache may lie on another disk.
"""

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from stat import S_ISREG

MAX_NAMED = 5
"""Maximum number of places that a line of the list names."""
VOCABULARY_NAMES = frozenset(
    {"tokenizer.json", "tokenizer_config.json", "special_tokens_map.json", "vocab.json", "vocab.txt", "merges.txt"}
)
MODEL_SUFFIXES = (".safetensors", ".gguf", ".pt", ".bin", ".model")
MODEL_FOLDERS = ("models", "bases")
"""Folders with base models, below `.hallmark`."""
LINK = "links to other places, which were not followed"


class Gaps:
    """Places that a search did not read, by reason."""

    def __init__(self, name_place: Callable[[str], str]) -> None:
        """Initialise without any gap.

        Args:
            name_place: Function that returns what the list may say of a path, which may name the person.
        """
        self._name_place = name_place
        self._places: dict[str, list[str]] = {}

    def add(self, reason: str, place: str) -> None:
        named = self._places.setdefault(reason, [])
        if (name := self._name_place(place)) not in named:
            named.append(name)

    def texts(self) -> list[str]:
        """Return one line for each reason, with the first places."""
        return [f"{reason}: {_shorten(places)}" for reason, places in self._places.items()]


def walk_files(folder: Path, gaps: Gaps, prefix: str = "") -> Iterator[tuple[Path, int]]:
    """Yield the regular files below a folder with their sizes in bytes, sorted. A file that is gone is left out.

    Args:
        folder: Folder to search.
        gaps: List to which folders that cannot be read, and links to elsewhere, are added.
        prefix: First part of the name of a place in the list.
    """
    searched = [folder.resolve()]

    def report(error: OSError) -> None:
        if not isinstance(error, FileNotFoundError):
            gaps.add(f"folders that cannot be read ({error.strerror})", prefix + _relative(error.filename, folder))

    def walk(start: Path, follows: bool) -> Iterator[tuple[Path, int]]:
        for place, names, files in os.walk(start, onerror=report):
            names.sort()
            for name in sorted([*names, *files]):
                path = Path(place, name)
                if path.is_symlink():
                    if follows and path.parent == folder and path.is_dir():
                        searched.append(path.resolve())
                        yield from walk(path, follows=False)
                    elif path.exists() and not any(map(path.resolve().is_relative_to, searched)):
                        gaps.add(LINK, prefix + _relative(path, folder))
                elif (size := _size_of_file(path)) is not None:
                    yield path, size

    yield from walk(folder, follows=True)


def may_hold_rows(relative: Path) -> bool:
    """Return whether a file may hold rows, unlike a model and its vocabulary, which has the words of a language."""
    is_model = relative.name in VOCABULARY_NAMES or relative.suffix in MODEL_SUFFIXES
    return not is_model and not set(relative.parts[:1]) & set(MODEL_FOLDERS)


def _size_of_file(path: Path) -> int | None:
    try:
        found = path.lstat()
    except OSError:  # a process removed it meanwhile
        return None
    return found.st_size if S_ISREG(found.st_mode) else None


def _relative(path: str | Path, folder: Path) -> str:
    return Path(path).relative_to(folder).as_posix()


def _shorten(places: list[str]) -> str:
    more = f" and {len(places) - MAX_NAMED:,} more" if len(places) > MAX_NAMED else ""
    return f"{', '.join(places[:MAX_NAMED])}{more}"
