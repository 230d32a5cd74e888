"""Heads as objects in S3 or a compatible store, accessed with the usual AWS_* variables."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from tasks.core import object_store
from tasks.core.errors import Unavailable
from tasks.ledger.head_files import MAX_HEAD_BYTES, filename, parse_size

TIMEOUTS = {"connect_timeout": 5, "read_timeout": 20, "retries": {"max_attempts": 2}}
"""Timeouts in seconds, and number of attempts. A head that cannot be stored now is stored by the next publication."""


class S3Place:
    def __init__(self, location: str) -> None:
        self._location = location
        """`s3://BUCKET/PREFIX` without a trailing slash."""

    @property
    def name(self) -> str:
        return self._location

    def sizes(self) -> set[int]:
        return set(self._byte_counts())

    def _byte_counts(self) -> dict[int, int]:
        """Return the number of bytes of each head's object, by the size of its tree."""
        with self._open_store() as store:
            try:
                found = store.ls(self._location, detail=True)
            except FileNotFoundError:
                if not store.exists(self._location.removeprefix("s3://").split("/")[0]):
                    raise
                found = []  # no head has been published under this prefix yet
        names = {each["name"].rsplit("/", 1)[-1]: each["size"] or 0 for each in found if each["type"] == "file"}
        return {size: count for name, count in names.items() if (size := parse_size(name)) is not None}

    def read(self, sizes: set[int]) -> dict[int, bytes]:
        counts = self._byte_counts()
        wanted = [size for size in sorted(sizes & counts.keys()) if counts[size]]  # an empty object has no range
        keys = [self._key(size) for size in wanted]
        with self._open_store() as store:
            objects = store.cat_ranges(keys, 0, MAX_HEAD_BYTES + 1, on_error="raise") if keys else []
        return dict.fromkeys(sizes & counts.keys(), b"") | dict(zip(wanted, objects, strict=True))

    def add(self, heads: dict[int, bytes]) -> None:
        with self._open_store() as store:
            for size, data in sorted(heads.items()):
                if not store.exists(self._key(size)):
                    store.pipe_file(self._key(size), data)

    def _key(self, size: int) -> str:
        return f"{self._location}/{filename(size)}"

    @contextmanager
    def _open_store(self) -> Iterator[Any]:
        from aiohttp import ClientError as Broken
        from botocore.exceptions import BotoCoreError, ClientError

        try:
            with object_store.opened(**TIMEOUTS) as store:
                yield store
        except FileNotFoundError:
            raise Unavailable(f"{self.name} is away: there is no such bucket; make it, or correct the name") from None
        except (BotoCoreError, Broken, ClientError, OSError, RecursionError) as error:
            raise Unavailable(f"{self.name} cannot be used ({error})") from None
