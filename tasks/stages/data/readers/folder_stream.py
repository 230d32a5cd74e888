"""Folder of files as one stream of bytes, so that a folder is pinned, cached and read like a file.

The stream is a tar archive (POSIX.1-2001, pax). Its members are sorted by name, and their headers have no times, owners
or permissions, so the same files give the same bytes on every machine.
"""

import io
import os
import re
import stat
import tarfile
from collections import Counter
from collections.abc import Iterator
from contextlib import AbstractContextManager
from pathlib import Path, PurePosixPath
from typing import IO, Any, NamedTuple, Protocol

from tasks.core.errors import InputError
from tasks.core.files import is_sparse, open_regular_file

BLOCK_BYTES = 1 << 20
MAX_FILES = 1_000_000
PLAIN_SUFFIX = re.compile(r"\.[a-z0-9]{1,8}")
MAX_NAMED_SUFFIXES = 8
"""Maximum number of suffixes that a message names."""


class FolderFile(NamedTuple):
    name: str
    """Path of the file within its folder, with `/` between its parts."""
    size: int
    """Size in bytes."""


class Folder(Protocol):
    """Folder of a file system or object store."""

    def list_files(self) -> Iterator[FolderFile]: ...

    def open_file(self, name: str) -> AbstractContextManager[IO[bytes]]: ...


class LocalFolder:
    def __init__(self, path: Path, display_name: str) -> None:
        self._path, self._where = path, display_name

    def list_files(self) -> Iterator[FolderFile]:
        """Yield every file below the folder, and every hidden file, link, pipe or device.

        Raises:
            InputError: A link, a pipe or a device is not hidden. A link could lead to a file that is not data.
        """
        for folder, folders, names in os.walk(self._path, onerror=_raise):
            for name in (*folders, *names):
                path = Path(folder, name)
                status, relative = path.lstat(), path.relative_to(self._path).as_posix()
                if stat.S_ISDIR(status.st_mode):
                    continue
                if not is_hidden(relative) and not stat.S_ISREG(status.st_mode):
                    raise InputError(
                        f"{self._where}: {relative!r} is a link, a pipe or a device; put the file itself there"
                    )
                yield FolderFile(relative, status.st_size)

    def open_file(self, name: str) -> AbstractContextManager[IO[bytes]]:
        file = open_regular_file(self._path / name)
        if is_sparse(file.fileno()):
            file.close()
            raise InputError(f"{self._where}: {name!r} consists mostly of holes, which nobody wrote; restore the file")
        return file


def _raise(error: OSError) -> None:
    raise error


def is_hidden(name: str) -> bool:
    """Return whether a part of the path begins with a dot, as `.git` and `.DS_Store` do. Such files are left out."""
    return any(part.startswith(".") for part in name.split("/"))


def has_suffix(name: str, suffixes: tuple[str, ...]) -> bool:
    """Return whether a reader with these suffixes takes the file. The suffix `""` stands for every file."""
    return name.lower().endswith(suffixes)


def open_folder_stream(folder: Folder, suffixes: tuple[str, ...], display_name: str) -> "FolderStream":
    """Return the files with one of the suffixes as a stream.

    Hidden files and files with other suffixes are left out, and counted.

    Raises:
        InputError: No file has one of the suffixes, or the folder has more than MAX_FILES files.
    """
    files, left_out = [], Counter[str]()
    for file in folder.list_files():
        if has_suffix(file.name, suffixes) and not is_hidden(file.name):
            files.append(file)
        else:
            left_out[name_left_out(file.name)] += 1
        if len(files) > MAX_FILES:
            raise InputError(f"{display_name} has more than {MAX_FILES:,} files; divide it among several sources")
    if not files:
        wanted = " or ".join(filter(None, suffixes)) or "any name"
        raise InputError(f"{display_name} is a folder without a file of {wanted}; correct its location or `kind`")
    blocks = _archive_blocks(folder, sorted(files, key=lambda file: os.fsencode(file.name)), display_name)
    return FolderStream(blocks, left_out)


class FolderStream(io.BufferedReader):
    def __init__(self, blocks: Iterator[bytes], left_out: Counter[str]) -> None:
        super().__init__(BlockStream(blocks), BLOCK_BYTES)
        self.left_out = left_out
        """Number of files that are left out, by what they are called in messages (`name_left_out`)."""


def name_left_out(name: str) -> str:
    """Return the suffix of a file that is left out, or a word for it. Other endings of a name may be about people.

    Names are not in what every run says and keeps: progress, and reasons of malformed rows. An error stops the run, and
    its reader has to find the file, so errors about a file quote its name.
    """
    if is_hidden(name):
        return "hidden"
    suffix = PurePosixPath(name).suffix.lower()
    return suffix if PLAIN_SUFFIX.fullmatch(suffix) else "other"


def describe_left_out(left_out: Counter[str]) -> str:
    """Return the numbers of files that are left out, such as `3 .png, 1 hidden`."""
    named = sorted(left_out.items(), key=lambda item: (-item[1], item[0]))
    rest = sum(count for _, count in named[MAX_NAMED_SUFFIXES:])
    said = [f"{count:,} {name}" for name, count in named[:MAX_NAMED_SUFFIXES]]
    return ", ".join(said + [f"{rest:,} of other suffixes"] * bool(rest))


def _archive_blocks(folder: Folder, files: list[FolderFile], where: str) -> Iterator[bytes]:
    for listed in files:
        try:
            header = tarfile.TarInfo(listed.name)
            header.size = listed.size
            yield header.tobuf(tarfile.PAX_FORMAT, "utf-8", "strict")
        except UnicodeError:
            raise InputError(f"{where}: the name {listed.name!r} is not UTF-8; rename the file") from None
        left = listed.size
        with folder.open_file(listed.name) as file:
            while block := file.read(min(BLOCK_BYTES, left + 1)):
                left -= len(block)
                if left < 0:
                    break
                yield block
        if left:
            raise InputError(f"{where}: {listed.name!r} changed while it was read; resolve again")
        yield bytes(-listed.size % tarfile.BLOCKSIZE)
    yield bytes(2 * tarfile.BLOCKSIZE)


class BlockStream(io.RawIOBase):
    """Blocks of bytes as a stream."""

    def __init__(self, blocks: Iterator[bytes]) -> None:
        self._blocks, self._rest = blocks, b""

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        while not self._rest:
            block = next(self._blocks, None)
            if block is None:
                return 0
            self._rest = block
        taken = self._rest[: len(memoryview(buffer))]
        memoryview(buffer)[: len(taken)] = taken
        self._rest = self._rest[len(taken) :]
        return len(taken)
