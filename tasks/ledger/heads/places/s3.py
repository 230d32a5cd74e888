"""Heads as objects in S3 or a compatible store, accessed with the usual AWS_* variables."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from tasks.core import object_store
from tasks.core.errors import Unavailable
from tasks.ledger.head_files import filename, parse_size

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
        with self._open_store() as store:
            try:
                paths = store.ls(self._location, detail=False)
            except FileNotFoundError:
                if not store.exists(self._location.removeprefix("s3://").split("/")[0]):
                    raise
                paths = []  # no head has been published under this prefix yet
        return {size for path in paths if (size := parse_size(path.rsplit("/", 1)[-1])) is not None}

    def read(self, sizes: set[int]) -> dict[int, bytes]:
        wanted = {self._key(size): size for size in sizes & self.sizes()}
        with self._open_store() as store:
            objects = store.cat(list(wanted)) if wanted else {}
        return {wanted[f"s3://{key.removeprefix('s3://')}"]: data for key, data in objects.items()}

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
