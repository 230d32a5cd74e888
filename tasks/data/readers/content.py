"""A source's bytes, from a local file or from S3.

A source is held in memory while it is read: what is parsed is then exactly what was hashed, and no copy of it is left
on a disk. S3 is reached with the usual AWS_* settings, AWS_ENDPOINT_URL included.
"""

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

from tasks.errors import InputError, Unavailable
from tasks.govern.sources import ResolvedSource, Source, expand
from tasks.layout import Layout

BLOCK = 1 << 20


def read(resolved: ResolvedSource, root: Path) -> bytes:
    """The content that was pinned. Raises InputError where it has changed since, Unavailable where it is out of reach.

    Relative locations start at `root`, or, for what is not committed, at the checkout (`Layout.locate`).
    """
    source = resolved.source
    with opened(source, root) as file:
        data: bytes = file.read()
    digest = hashlib.sha256(data).hexdigest()
    if digest != resolved.sha256:
        raise InputError(
            f"source {source.id}: {source.location} has changed since the run was resolved: expected SHA-256 "
            f"{resolved.sha256} ({resolved.bytes:,} bytes), got {digest} ({len(data):,} bytes); resolve again, or "
            "restore the file"
        )
    return data


@contextmanager
def opened(source: Source, root: Path) -> Iterator[IO[bytes]]:
    """The source's content as a binary file. Raises InputError or Unavailable, naming source and location."""
    location = expand(source.location)
    try:
        if location.startswith("s3://"):
            with _s3().open(location, "rb", block_size=8 * BLOCK, cache_type="readahead") as file:
                yield file
        else:
            with Layout(root).locate(str(Path(location).expanduser())).open("rb") as file:
                yield file
    except FileNotFoundError:
        raise InputError(f"source {source.id}: there is no {location}; correct its location in sources.yaml") from None
    except IsADirectoryError:
        raise InputError(f"source {source.id}: {location} is a folder; give the path of one file") from None
    except PermissionError as error:
        raise InputError(f"source {source.id}: no permission to read {location} ({error})") from None
    except _away() as error:
        raise Unavailable(f"source {source.id}: {location} cannot be reached: {error}") from None


def _s3() -> Any:
    import s3fs

    # A cached instance would keep listings and credentials from before.
    return s3fs.S3FileSystem(skip_instance_cache=True)


def _away() -> tuple[type[Exception], ...]:
    from botocore.exceptions import BotoCoreError, ClientError

    return (BotoCoreError, ClientError, ConnectionError, TimeoutError)
