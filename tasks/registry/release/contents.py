"""Files in a release's folder. Each is read only once, so the bytes that are parsed are the bytes that were hashed.

Replacing a file between hashing and parsing therefore has no effect. Links, pipes and devices are refused, and files
above a maximum size are not parsed.
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
from tasks.core.errors import Refused, raise_machine_fault
from tasks.core.json_text import canonical_json, parse_strict

MAX_PARSED_BYTES = 16 * 2**20
"""Maximum size in bytes of a file that is parsed. For comparison, a promotion statement needs a few hundred bytes for
each file in the release."""
BLOCK_BYTES = 2**20
NAME_PATTERN = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.+=,@() -]*")
"""Pattern of allowed file and folder names in a release. It excludes hidden files, `..` and non-ASCII letters, some of
which look like ASCII letters."""

FileState = tuple[int, int, int, int]
"""Inode, size in bytes, and times of modification and status change in nanoseconds. Any change to the file changes at
least one of these."""


@dataclass(frozen=True)
class FolderContents:
    """SHA-256 of each file in a folder, and the bytes of the files to parse."""

    folder: Path
    digests: dict[str, str]
    _parsed: dict[str, bytes]
    _states: dict[str, FileState]

    def file_bytes(self, name: str) -> bytes:
        if name not in self._parsed:
            raise Refused(f"{name} is missing")
        return self._parsed[name]

    def parsed_json(self, name: str) -> Any:
        """Return the parsed value of a JSON file.

        Raises:
            Refused: The file is missing, or is not in canonical form (`tasks.core.json_text.canonical_json`).
        """
        value = parse_json(self.file_bytes(name), name)
        if canonical_json(value) != self.file_bytes(name):
            raise Refused(f"{name} is not in canonical form")
        return value

    def names_below(self, folder: str) -> list[str]:
        return sorted(name for name in self.digests if name.startswith(f"{folder}/"))

    def require_unchanged(self, allowed_additions: Collection[str] = ()) -> None:
        """Verify that no file has been changed, added or removed since the folder was read.

        Args:
            allowed_additions: Names of files that are allowed to have been added.

        Raises:
            Refused: A file was changed, added or removed.
        """
        present = {name for name in file_names(self.folder) if name in self._states or name not in allowed_additions}
        if changed := sorted(
            present ^ set(self._states) | {n for n in present & set(self._states) if self._has_changed(n)}
        ):
            raise Refused(f"changed while it was verified: {format_names(changed)}")

    def _has_changed(self, name: str) -> bool:
        return _file_state(os.lstat(self.folder / name)) != self._states[name]


def read_files(folder: Path, names_to_hash: Collection[str], names_to_parse: Collection[str]) -> FolderContents:
    """Hash files of a folder, and keep the bytes of those that will be parsed.

    Args:
        folder: Folder of the release.
        names_to_hash: Paths of the files to hash, relative to the folder.
        names_to_parse: Paths of the files to parse.

    Raises:
        Refused: A file is a pipe, a device or sparse, or a file to parse is too large.
        OSError: A file is a link or cannot be read.
    """
    digests, kept, marks = {}, {}, {}
    for name in sorted(names_to_hash):
        digests[name], marks[name], data = _hash_file(folder, name, keep_bytes=name in names_to_parse)
        if data is not None:
            kept[name] = data
    return FolderContents(folder, digests, kept, marks)


def read_file(folder: Path, name: str) -> bytes:
    """Return the bytes of one file, for parsing.

    Raises:
        Refused: The file is missing, not a regular file, or too large.
        Unavailable: The machine lacks memory or file descriptors, or its disk fails.
    """
    try:
        data = _hash_file(folder, name, keep_bytes=True)[2]
    except OSError as error:
        raise_machine_fault(folder / name, error)
        raise Refused(f"{name} is missing or cannot be read ({error.strerror})") from None
    assert data is not None
    return data


def file_names(folder: Path) -> list[str]:
    """Return the sorted paths of all files below a folder.

    Links are refused because they could lead out of the release. Empty folders are refused because no digest covers
    them.

    Raises:
        Refused: The folder contains a link, pipe, device or empty folder.
    """
    return sorted(_walk(folder, ""))


def require_portable_names(file_names: Collection[str]) -> None:
    """Verify that file names are valid and distinct on every operating system.

    Raises:
        Refused: A name does not match NAME_PATTERN, or two names differ only in upper and lower case.
    """
    folded: dict[str, str] = {}
    for name in sorted(file_names):
        if not all(NAME_PATTERN.fullmatch(part) for part in name.split("/")):
            raise Refused(
                f"{format_names([name])} is no name for a file of a release: letters, digits and _.+=,@()- only"
            )
        if twin := folded.get(name.casefold()):
            raise Refused(f"{twin} and {name} are one file on systems that take capitals for small letters")
        folded[name.casefold()] = name


def parse_json(data: bytes, name: str) -> Any:
    """Parse strict JSON, in which repeated keys, NaN and infinities are not allowed.

    Raises:
        Refused: The bytes are not strict JSON.
    """
    try:
        return parse_strict(data)
    except ValueError as error:
        raise Refused(f"{name}: no JSON can be read here ({error})") from None


def format_names(file_names: Collection[str]) -> str:
    """Format up to five file names for a message, on one line and with unprintable and non-ASCII characters escaped."""
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
                raise Refused(f"{format_names([name])} is not a plain file; a release holds no links, pipes or devices")
    if empty and prefix:
        raise Refused(f"{format_names([prefix[:-1]])} is an empty folder, which no release has")


def _hash_file(folder: Path, name: str, keep_bytes: bool) -> tuple[str, FileState, bytes | None]:
    handle = os.open(folder / name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    with os.fdopen(handle, "rb") as file:
        before = os.fstat(handle)
        if not stat.S_ISREG(before.st_mode):
            raise Refused(f"{format_names([name])} is not a plain file; a release holds no links, pipes or devices")
        if files.is_sparse(handle):
            raise Refused(
                f"{format_names([name])} says that it has {before.st_size:,} bytes, most of which are not there"
            )
        if keep_bytes and before.st_size > MAX_PARSED_BYTES:
            raise Refused(
                f"{name} has {before.st_size:,} bytes; nothing that long is parsed ({MAX_PARSED_BYTES:,} at most)"
            )
        if keep_bytes:
            data = file.read(MAX_PARSED_BYTES + 1)
            return hashlib.sha256(data).hexdigest(), _file_state(before), data
        digest = hashlib.sha256()
        while block := file.read(BLOCK_BYTES):
            digest.update(block)
        return digest.hexdigest(), _file_state(before), None


def _file_state(status: os.stat_result) -> FileState:
    return status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns
