"""Files that a search for a person reads, and the list of what it could not read.

Links are not followed, except those of the folder's own first level: a cache may lie on another disk. Of folders and
links the names are searched, and the paths to which links lead.
"""

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from stat import S_ISDIR, S_ISLNK, S_ISREG
from typing import NamedTuple

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


class FoundEntry(NamedTuple):
    path: Path
    size: int | None
    """Size of a regular file in bytes; None for folders, links and all others, of which the name alone is searched."""


def walk_entries(folder: Path, gaps: Gaps, prefix: str = "") -> Iterator[FoundEntry]:
    """Yield everything below a folder: files and links in their order, and each folder after what is in it.

    An entry that is gone is left out.

    Args:
        folder: Folder to search.
        gaps: List to which folders that cannot be read, and links to elsewhere, are added.
        prefix: First part of the name of a place in the list.
    """
    searched = [folder.resolve()]

    def report(error: OSError) -> None:
        if not isinstance(error, FileNotFoundError):
            gaps.add(f"folders that cannot be read ({error.strerror})", prefix + _relative(error.filename, folder))

    def walk(start: Path, follows: bool) -> Iterator[FoundEntry]:
        folders = list[Path]()
        for place, names, files in os.walk(start, onerror=report):
            names.sort()
            for name in sorted([*names, *files]):
                path = Path(place, name)
                mode, size = _mode_and_size(path)
                if S_ISLNK(mode):
                    yield FoundEntry(path, None)
                    if follows and path.parent == folder and path.is_dir():
                        searched.append(path.resolve())
                        yield from walk(path, follows=False)
                    elif path.exists() and not any(map(path.resolve().is_relative_to, searched)):
                        gaps.add(LINK, prefix + _relative(path, folder))
                elif S_ISDIR(mode):
                    folders.append(path)
                elif mode:
                    yield FoundEntry(path, size if S_ISREG(mode) else None)
        yield from (FoundEntry(path, None) for path in reversed(folders))

    yield from walk(folder, follows=True)


def link_target(path: Path, folder: Path) -> str:
    """Return the path to which a link leads, without that of the searched folder; empty if there is no link."""
    try:
        return str(path.readlink()).removeprefix(f"{folder}/")
    except OSError:  # it is none, or a process removed it meanwhile
        return ""


def may_hold_rows(relative: Path) -> bool:
    """Return whether a file may hold rows, unlike a model and its vocabulary, which has the words of a language."""
    is_model = relative.name in VOCABULARY_NAMES or relative.suffix in MODEL_SUFFIXES
    return not is_model and not set(relative.parts[:1]) & set(MODEL_FOLDERS)


def _mode_and_size(path: Path) -> tuple[int, int]:
    try:
        found = path.lstat()
    except OSError:  # a process removed it meanwhile
        return 0, 0
    return found.st_mode, found.st_size


def _relative(path: str | Path, folder: Path) -> str:
    return Path(path).relative_to(folder).as_posix()


def _shorten(places: list[str]) -> str:
    more = f" and {len(places) - MAX_NAMED:,} more" if len(places) > MAX_NAMED else ""
    return f"{', '.join(places[:MAX_NAMED])}{more}"
