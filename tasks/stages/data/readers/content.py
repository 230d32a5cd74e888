"""Content of a source, from a local file or from S3, as a copy that no other process can change.

The parsed bytes are exactly the hashed bytes: the source may change while it is read, its copy does not. A small copy
is held in memory. A larger copy is a file without a name, which disappears when the process ends, even if it is killed.
"""

import errno
import hashlib
import io
import os
import stat
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import SpooledTemporaryFile
from typing import IO

from tasks.core.errors import InputError, Unavailable
from tasks.core.files import is_sparse, open_regular_file
from tasks.core.layout import Layout
from tasks.core.steps.kinds import SQL_KIND
from tasks.sources.location_variables import fill_variables
from tasks.sources.resolved_sources import ResolvedSource
from tasks.sources.source_places import find_local_path
from tasks.sources.sources import Source
from tasks.stages.data.readers import gzip_content, postgres_rows, s3_objects, sqlite_rows
from tasks.stages.data.readers.folder_stream import BlockStream, Folder, FolderStream, LocalFolder, open_folder_stream
from tasks.stages.data.readers.kinds import reader_of

BLOCK_BYTES = 1 << 20
MAX_MEMORY_BYTES = 64 * BLOCK_BYTES
"""Maximum size in bytes of a source's copy in memory. A larger copy is kept in a temporary file."""
MAX_SOURCE_BYTES = 64 << 30
"""Maximum size of a source in bytes, before it is unpacked. Reading that much takes minutes."""
CHANGED_QUERY_REMEDY = (
    "resolve again. Rows stay the same if a condition of `query` asks for a past period, and its ORDER BY names "
    "columns that are unique together"
)
BUSY_ERRNOS = (errno.EAGAIN, errno.EIO, errno.ESTALE, errno.ETIMEDOUT)
"""Errors of a file that can be read later, for example if a process holds a lease on it or its server is away."""
UNUSABLE_PATH_ERRNOS = (errno.ELOOP, errno.ENAMETOOLONG, errno.ENOTDIR)
"""Error numbers for paths that cannot exist, such as one that is too long."""


@dataclass(frozen=True)
class PinnedContent:
    file: IO[bytes]
    """Unpacked content, positioned at its beginning."""
    line_count: int
    """Number of line ends, as an estimate of the number of rows."""
    left_out: Counter[str]
    """Number of files of a folder that are left out, by suffix."""
    scratch: Path
    """Folder for temporary files."""


@contextmanager
def open_pinned_content(resolved: ResolvedSource, root: Path) -> Iterator[PinnedContent]:
    """Yield the content of a source, after checking it against the pinned SHA-256.

    Relative locations refer to `root` or, for files that are not committed, to the checkout (`Layout.resolve_path`).

    Raises:
        InputError: The content has changed since it was pinned.
        Unavailable: The content cannot be reached.
    """
    source, place = resolved.source, _writable_folder(Layout(root))
    with _open_copy(place) as packed:
        left_out = _fill_and_verify(packed, resolved, root)
        if not (reader_of(source.kind).is_text and gzip_content.is_gzip(packed)):
            yield _pinned_content(packed, left_out, place)
            return
        with _open_copy(place) as plain:
            gzip_content.unpack(packed, plain, source)
            packed.close()
            yield _pinned_content(plain, left_out, place)


def _writable_folder(layout: Layout) -> Path:
    return layout.cache_folder("ingested", "ingest") if layout.stage_digests_path.exists() else layout.state


def _open_copy(place: Path) -> SpooledTemporaryFile[bytes]:
    place.mkdir(parents=True, exist_ok=True)
    return SpooledTemporaryFile(MAX_MEMORY_BYTES, dir=str(place))


def _fill_and_verify(copy: IO[bytes], resolved: ResolvedSource, root: Path) -> Counter[str]:
    """Write the content to `copy`, and return the number of files of a folder that are left out, by suffix."""
    source, digest, size = resolved.source, hashlib.sha256(), 0
    with open_content(source, root) as file:
        for block in read_blocks(file, source):
            digest.update(block)
            size += copy.write(block)
    if digest.hexdigest() != resolved.sha256:
        remedy = CHANGED_QUERY_REMEDY if source.kind == SQL_KIND else "resolve again, or restore the file"
        raise InputError(
            f"source {source.id}: {source.location} has changed since the run was resolved: expected SHA-256 "
            f"{resolved.sha256} ({resolved.bytes:,} bytes), got {digest.hexdigest()} ({size:,} bytes); {remedy}"
        )
    return file.left_out if isinstance(file, FolderStream) else Counter()


def _pinned_content(file: IO[bytes], left_out: Counter[str], scratch: Path) -> PinnedContent:
    file.seek(0)
    lines = sum(block.count(b"\n") for block in iter(lambda: file.read(BLOCK_BYTES), b""))
    file.seek(0)
    return PinnedContent(file, lines, left_out, scratch)


def read_blocks(file: IO[bytes], source: Source) -> Iterator[bytes]:
    """Yield the content of an open source in blocks.

    Raises:
        InputError: The content exceeds MAX_SOURCE_BYTES, for example because another process keeps appending to it.
    """
    size = 0
    while block := file.read(BLOCK_BYTES):
        size += len(block)
        _require_possible_size(size, source)
        yield block


@contextmanager
def open_content(source: Source, root: Path) -> Iterator[IO[bytes]]:
    """Yield the content of a source as a binary file.

    The files of a folder are a stream (`folder_stream`), and the rows of a database are JSON Lines (`sql_lines`).

    Error messages show the location as it is written in sources.yaml. The values of its variables may be passwords, and
    errors are written to logs, journals and Prefect.

    Raises:
        InputError: The file or object does not exist or cannot be opened.
        Unavailable: The store cannot be reached.
    """
    with _rewrite_errors(source), ExitStack() as stack:
        if source.kind == SQL_KIND:
            yield stack.enter_context(_open_database(source, root))
        elif folder := stack.enter_context(_open_any_folder(source, root)):
            suffixes = reader_of(source.kind).suffixes
            if not suffixes:
                raise IsADirectoryError
            yield stack.enter_context(open_folder_stream(folder, suffixes, _display_name(source)))
        elif (location := fill_variables(source.location)).startswith("s3://"):
            yield stack.enter_context(s3_objects.open_object(location, _display_name(source)))
        else:
            file = stack.enter_context(open_regular_file(_local_path(source, location, root)))
            _require_readable(file, source)
            yield file


@contextmanager
def open_folder(source: Source, root: Path) -> Iterator[Folder | None]:
    """Yield the folder that a source is; None if it is a file or object. Raise the errors of `open_content`."""
    with _rewrite_errors(source), _open_any_folder(source, root) as folder:
        yield folder


@contextmanager
def _open_any_folder(source: Source, root: Path) -> Iterator[Folder | None]:
    location = fill_variables(source.location)
    if "://" in location and not location.startswith("s3://"):
        raise InputError(
            f"{_display_name(source)}: expected a path or s3://BUCKET/KEY; a database is a source of kind {SQL_KIND}"
        )
    if location.startswith("s3://") and location.endswith("/"):
        with s3_objects.open_folder(location, _display_name(source)) as folder:
            yield folder
    elif not location.startswith("s3://") and (path := _local_path(source, location, root)).is_dir():
        yield LocalFolder(path, _display_name(source))
    else:
        yield None


def _display_name(source: Source) -> str:
    return f"source {source.id}: {source.location}"


@contextmanager
def _rewrite_errors(source: Source) -> Iterator[None]:
    where, named = _display_name(source), source.location
    try:
        yield
    except FileNotFoundError:
        raise InputError(f"source {source.id}: there is no {named}; correct its location in sources.yaml") from None
    except IsADirectoryError:
        raise InputError(f"{where} is a folder; give the path of one file") from None
    except PermissionError:
        raise InputError(f"source {source.id}: no permission to read {named}") from None
    except OSError as error:
        if error.errno in BUSY_ERRNOS:
            raise Unavailable(f"{where} cannot be read now ({error.strerror}); try again") from None
        if error.errno in UNUSABLE_PATH_ERRNOS:
            raise InputError(f"{where} cannot be opened ({error.strerror})") from None
        raise OSError(error.errno, error.strerror) from None  # without the file's name, which has the variables' values


@contextmanager
def _open_database(source: Source, root: Path) -> Iterator[IO[bytes]]:
    path = find_local_path(source)
    if path is None:
        opened = postgres_rows.open_lines(source)
    else:
        file = _local_path(source, path, root)
        if file.is_dir():
            raise IsADirectoryError
        opened = sqlite_rows.open_lines(source, file)
    with opened as lines:
        yield io.BufferedReader(BlockStream(lines), BLOCK_BYTES)


def _local_path(source: Source, location: str, root: Path) -> Path:
    """Return the path of a file or folder. Pipes and devices are refused, because reading a pipe may never end."""
    try:
        path = Layout(root).resolve_path(str(Path(location).expanduser()))
        mode = path.stat().st_mode
    except (RuntimeError, ValueError):  # `~` without a home folder, or a zero byte
        raise InputError(f"source {source.id}: {source.location!r} is no path; correct it in sources.yaml") from None
    if not stat.S_ISREG(mode) and not stat.S_ISDIR(mode):
        raise InputError(f"source {source.id}: {source.location} is a pipe or a device; give the path of a file")
    return path


def _require_readable(file: IO[bytes], source: Source) -> None:
    """Refuse a sparse or special file, which could take days to read although it uses little or no disk space."""
    _require_possible_size(os.fstat(file.fileno()).st_size, source)
    if is_sparse(file.fileno()):
        raise InputError(
            f"source {source.id}: {source.location} consists mostly of holes, which nobody wrote; restore the file"
        )


def _require_possible_size(size: int, source: Source) -> None:
    if size > MAX_SOURCE_BYTES:
        raise InputError(
            f"source {source.id}: {source.location} has more than {MAX_SOURCE_BYTES >> 30} GiB, the most that a source "
            "may have; restore the file, or divide it among several sources"
        )
