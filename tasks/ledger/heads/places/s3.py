"""Heads as objects in S3 or a compatible store, accessed with the usual AWS_* variables."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from typing import Any

from tasks.core import object_store
from tasks.core.errors import Unavailable
from tasks.ledger.head_files import MAX_HEAD_BYTES, head_filename, parse_tree_size

REQUEST_LIMITS = {"connect_timeout": 5, "read_timeout": 20, "retries": {"max_attempts": 2}}
"""Timeouts in seconds and number of attempts for S3 requests. A head that cannot be stored is stored by the next
publication."""
PARALLEL_REQUESTS = 10


class S3Place:
    def __init__(self, location: str) -> None:
        self.name = location
        """`s3://BUCKET/PREFIX` without a trailing slash."""
        self._bucket, prefix = object_store.parse_location(location)
        self._prefix = f"{prefix}/" if prefix else ""

    def sizes(self) -> set[int]:
        return set(self._byte_counts())

    def _byte_counts(self) -> dict[int, int]:
        with self._open_store() as store:
            found = [*object_store.list_objects(store, self._bucket, self._prefix, Delimiter="/")]
        names = {each.key.removeprefix(self._prefix): each.size for each in found}
        return {size: count for name, count in names.items() if (size := parse_tree_size(name)) is not None}

    def read(self, sizes: set[int]) -> dict[int, bytes]:
        counts = self._byte_counts()
        wanted = [size for size in sorted(sizes & counts.keys()) if counts[size]]  # an empty object has no range
        with self._open_store() as store, ThreadPoolExecutor(PARALLEL_REQUESTS) as pool:
            objects = [*pool.map(lambda size: self._read_beginning(store, size), wanted)]
        found = {size: data for size, data in zip(wanted, objects, strict=True) if data is not None}
        return dict.fromkeys(sizes & counts.keys() - set(wanted), b"") | found

    def _read_beginning(self, store: Any, size: int) -> bytes | None:
        """Return the first MAX_HEAD_BYTES + 1 bytes of a head's object, so that longer objects are noticed and refused.

        Return None if the object was removed after it was listed.
        """
        from botocore.exceptions import ClientError

        length = MAX_HEAD_BYTES + 1
        try:
            answer = store.get_object(Bucket=self._bucket, Key=self._key(size), Range=f"bytes=0-{length - 1}")
        except ClientError as error:
            if object_store.error_code(error) in object_store.MISSING_OBJECT_CODES:
                return None
            raise
        with closing(answer["Body"]) as body:
            data: bytes = body.read(length)
            return data

    def add(self, heads: dict[int, bytes]) -> None:
        with self._open_store() as store:
            for size, data in sorted(heads.items()):
                if not object_store.object_exists(store, self._bucket, self._key(size)):
                    store.put_object(Bucket=self._bucket, Key=self._key(size), Body=data)

    def _key(self, size: int) -> str:
        return f"{self._prefix}{head_filename(size)}"

    @contextmanager
    def _open_store(self) -> Iterator[Any]:
        from botocore.exceptions import BotoCoreError, ClientError

        try:
            with object_store.open_client(**REQUEST_LIMITS) as store:
                yield store
        except FileNotFoundError:
            raise Unavailable(f"{self.name} is away: there is no such bucket; make it, or correct the name") from None
        except (BotoCoreError, ClientError, OSError, object_store.InvalidEndpoint) as error:
            raise Unavailable(f"{self.name} cannot be used ({error})") from None
