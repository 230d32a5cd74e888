"""Files of a release's folder, each read only once, so that the parsed bytes are those that were hashed.

A file can therefore not be replaced between hashing and parsing. Links are not followed, pipes and devices are not
opened, and files above a maximum size are not parsed.
"""

import hashlib
import os
import re
import stat
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tasks.core import files
from tasks.core.errors import Refused
from tasks.core.json_text import canonical_json, parse_strict

MAX_PARSED = 16 * 2**20
"""Maximum size in bytes of a file that is parsed. A promotion statement takes a few hundred bytes for each file of the
release."""
BLOCK_BYTES = 2**20
NAME_PATTERN = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.+=,@() -]*")
"""Pattern of allowed file and folder names in a release. It excludes hidden files, `..` and letters that look like
others."""

FileState = tuple[int, int, int, int]
"""Inode, size in bytes, and times of modification and status change in nanoseconds. A change of the file changes at
least one of these."""


@dataclass(frozen=True)
class Contents:
    """SHA-256 of each file in a folder, and the bytes of the files that are parsed."""

    folder: Path
    digests: dict[str, str]
    _parsed: dict[str, bytes]
    _states: dict[str, FileState]

    def bytes(self, name: str) -> bytes:
        if name not in self._parsed:
            raise Refused(f"{name} is missing")
        return self._parsed[name]

    def json(self, name: str) -> Any:
        """Return the value in a JSON file.

        Raises:
            Refused: The file is missing, or is not in canonical form (`tasks.core.json_text.canonical_json`).
        """
        value = parse_json(self.bytes(name), name)
        if canonical_json(value) != self.bytes(name):
            raise Refused(f"{name} is not in canonical form")
        return value

    def below(self, folder: str) -> list[str]:
        return sorted(name for name in self.digests if name.startswith(f"{folder}/"))

    def require_unchanged(self, late: Collection[str] = ()) -> None:
        """Verify that no file was changed, added or removed since the folder was read.

        Args:
            late: Names of files that are allowed to be added in the meantime.

        Raises:
            Refused: A file was changed, added or removed.
        """
        present = {name for name in file_names(self.folder) if name in self._states or name not in late}
        if changed := sorted(
            present ^ set(self._states) | {n for n in present & set(self._states) if self._has_changed(n)}
        ):
            raise Refused(f"changed while it was verified: {display_names(changed)}")

    def _has_changed(self, name: str) -> bool:
        return _file_state(os.lstat(self.folder / name)) != self._states[name]


def read(folder: Path, wanted: Collection[str], parsed: Collection[str]) -> Contents:
    """Hash the files `wanted`, and keep the bytes of the files that are also in `parsed`.

    Raises:
        Refused: A file is a pipe, a device or sparse, or a file in `parsed` is too large.
        OSError: A file is a link or cannot be read.
    """
    digests, kept, marks = {}, {}, {}
    for name in sorted(wanted):
        digests[name], marks[name], data = _read(folder, name, keep=name in parsed)
        if data is not None:
            kept[name] = data
    return Contents(folder, digests, kept, marks)


def read_one(folder: Path, name: str) -> bytes:
    """Return the bytes of one file, for parsing.

    Raises:
        Refused: The file is missing, not a regular file, or too large.
    """
    try:
        data = _read(folder, name, keep=True)[2]
    except OSError as error:
        raise Refused(f"{name} is missing or cannot be read ({error.strerror})") from None
    assert data is not None
    return data


def file_names(folder: Path) -> list[str]:
    """Return the sorted paths of all files below a folder.

    Links are refused because they could lead out of the release, and empty folders because no digest covers them.

    Raises:
        Refused: The folder contains a link, pipe, device or empty folder.
    """
    return sorted(_walk(folder, ""))


def require_portable_names(file_names: Collection[str]) -> None:
    """Verify that file names are valid and different from each other on every operating system.

    Raises:
        Refused: A name does not match NAME_PATTERN, or two names differ only in upper and lower case.
    """
    folded: dict[str, str] = {}
    for name in sorted(file_names):
        if not all(NAME_PATTERN.fullmatch(part) for part in name.split("/")):
            raise Refused(
                f"{display_names([name])} is no name for a file of a release: letters, digits and _.+=,@()- only"
            )
        if twin := folded.get(name.casefold()):
            raise Refused(f"{twin} and {name} are one file on systems that take capitals for small letters")
        folded[name.casefold()] = name


def parse_json(data: bytes, name: str) -> Any:
    """Parse JSON strictly, without repeated keys, NaN and infinities.

    Raises:
        Refused: The bytes are not valid JSON, or contain one of these.
    """
    try:
        return parse_strict(data)
    except ValueError as error:
        raise Refused(f"{name}: no JSON can be read here ({error})") from None


def display_names(file_names: Collection[str]) -> str:
    """Format up to five file names for a message, on one line and with special characters escaped."""
    listed = sorted(file_names)
    text = ", ".join(name if name.isprintable() and name.isascii() else ascii(name) for name in listed[:5])
    return f"{text}{' …' if len(listed) > 5 else ''}"


def _walk(folder: Path, prefix: str) -> Iterator[str]:
    empty = True
    with os.scandir(folder) as entries:
        for entry in entries:
            empty = False
            name = prefix + entry.name
            if entry.is_dir(follow_symlinks=False):
                yield from _walk(folder / entry.name, f"{name}/")
            elif entry.is_file(follow_symlinks=False):
                yield name
            else:
                raise Refused(
                    f"{display_names([name])} is not a plain file; a release holds no links, pipes or devices"
                )
    if empty and prefix:
        raise Refused(f"{display_names([prefix[:-1]])} is an empty folder, which no release has")


def _read(folder: Path, name: str, keep: bool) -> tuple[str, FileState, bytes | None]:
    handle = os.open(folder / name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    with os.fdopen(handle, "rb") as file:
        before = os.fstat(handle)
        if not stat.S_ISREG(before.st_mode):
            raise Refused(f"{display_names([name])} is not a plain file; a release holds no links, pipes or devices")
        if files.is_sparse(handle):
            raise Refused(
                f"{display_names([name])} says that it has {before.st_size:,} bytes, most of which are not there"
            )
        if keep and before.st_size > MAX_PARSED:
            raise Refused(f"{name} has {before.st_size:,} bytes; nothing that long is parsed ({MAX_PARSED:,} at most)")
        if keep:
            data = file.read(MAX_PARSED + 1)
            return hashlib.sha256(data).hexdigest(), _file_state(before), data
        digest = hashlib.sha256()
        while block := file.read(BLOCK_BYTES):
            digest.update(block)
        return digest.hexdigest(), _file_state(before), None


def _file_state(status: os.stat_result) -> FileState:
    return status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns
