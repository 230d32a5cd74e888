"""A source's content, from a local file or from S3, as a copy that nobody else can change.

What is parsed is exactly what was hashed: the source may change while it is read, its copy does not. The copy is held
in memory while it is small; a larger one is a file without a name, which is gone when the process ends, however it
ends.
"""

import errno
import hashlib
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import SpooledTemporaryFile
from typing import IO

from tasks.core.errors import InputError
from tasks.core.layout import Layout
from tasks.sources.sources import ResolvedSource, Source, expand
from tasks.stages.data.readers import gzipped, store

BLOCK = 1 << 20
IN_MEMORY = 64 * BLOCK
"""Bytes of a copy that are kept off the disk."""
UNUSABLE = (errno.ELOOP, errno.ENAMETOOLONG, errno.ENOTDIR)
"""How the system says that a path leads nowhere, other than that nothing is there."""


@dataclass(frozen=True)
class Pinned:
    """The content that was pinned."""

    file: IO[bytes]
    """At its beginning, unpacked."""
    lines: int
    """Line ends in it: about how many rows to expect."""


@contextmanager
def read(resolved: ResolvedSource, root: Path) -> Iterator[Pinned]:
    """The content that was pinned. Raises InputError where it has changed since, Unavailable where it is out of reach.

    Relative locations start at `root`, or, for what is not committed, at the checkout (`Layout.locate`).
    """
    source, place = resolved.source, _place(Layout(root))
    with _copy(place) as packed:
        _fill(packed, resolved, root)
        if source.kind == "parquet" or not gzipped.is_gzip(packed):
            yield _rewound(packed)
            return
        with _copy(place) as plain:
            gzipped.unpack(packed, plain, source)
            packed.close()
            yield _rewound(plain)


def _place(layout: Layout) -> Path:
    """On a disk, and for the stage where it may write; a run that is being resolved has no stages yet."""
    return layout.kept("ingested", "ingest") if layout.stages.exists() else layout.state


def _copy(place: Path) -> SpooledTemporaryFile[bytes]:
    place.mkdir(parents=True, exist_ok=True)
    return SpooledTemporaryFile(IN_MEMORY, dir=str(place))


def _fill(copy: IO[bytes], resolved: ResolvedSource, root: Path) -> None:
    source, digest, size = resolved.source, hashlib.sha256(), 0
    with opened(source, root) as file:
        while block := file.read(BLOCK):
            digest.update(block)
            size += copy.write(block)
    if digest.hexdigest() != resolved.sha256:
        raise InputError(
            f"source {source.id}: {source.location} has changed since the run was resolved: expected SHA-256 "
            f"{resolved.sha256} ({resolved.bytes:,} bytes), got {digest.hexdigest()} ({size:,} bytes); resolve again, "
            "or restore the file"
        )


def _rewound(file: IO[bytes]) -> Pinned:
    file.seek(0)
    lines = sum(block.count(b"\n") for block in iter(lambda: file.read(BLOCK), b""))
    file.seek(0)
    return Pinned(file, lines)


@contextmanager
def opened(source: Source, root: Path) -> Iterator[IO[bytes]]:
    """The source's content as a binary file. Raises InputError or Unavailable, naming source and location.

    The location is named as sources.yaml has it: what its variables stand for may be a password, and errors go to logs,
    journals and Prefect.
    """
    location, named = expand(source.location), source.location
    where = f"source {source.id}: {named}"
    try:
        if location.startswith("s3://"):
            with store.opened(location, where) as file:
                yield file
        else:
            with _local(source, location, root).open("rb") as file:
                yield file
    except FileNotFoundError:
        raise InputError(f"source {source.id}: there is no {named}; correct its location in sources.yaml") from None
    except IsADirectoryError:
        raise InputError(f"{where} is a folder; give the path of one file") from None
    except PermissionError:
        raise InputError(f"source {source.id}: no permission to read {named}") from None
    except OSError as error:
        if error.errno in UNUSABLE:
            raise InputError(f"{where} cannot be opened ({error.strerror})") from None
        raise OSError(error.errno, error.strerror) from None  # without the file's name, which is the location


def _local(source: Source, location: str, root: Path) -> Path:
    """Where a local file lies. Raises InputError for what is no file: a pipe would be waited for without end."""
    try:
        path = Layout(root).locate(str(Path(location).expanduser()))
        mode = path.stat().st_mode
    except (RuntimeError, ValueError):  # of `~` where there is no such home, and of a zero byte
        raise InputError(f"source {source.id}: {source.location!r} is no path; correct it in sources.yaml") from None
    if not (stat.S_ISREG(mode) or stat.S_ISDIR(mode)):
        raise InputError(f"source {source.id}: {source.location} is a pipe or a device; give the path of a file")
    return path
