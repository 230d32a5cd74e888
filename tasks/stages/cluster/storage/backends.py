"""Backends of the training storage: a folder, and a prefix of a bucket.

Names of stored files are relative paths with `/` as separator.
"""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Protocol

from tasks.core import object_store

S3_SCHEME = "s3://"
BOTO_CONFIG = {"connect_timeout": 5, "read_timeout": 60, "retries": {"max_attempts": 1}}


class Backend(Protocol):
    def exists(self, name: str) -> bool: ...

    def put(self, file: Path, name: str) -> None: ...

    def get(self, name: str, file: Path) -> None:
        """Download a stored file.

        Raises:
            FileNotFoundError: No file is stored under `name`.
        """

    def remove(self, name: str) -> None:
        """Remove a stored file or folder, if it exists."""


@contextmanager
def open_backend(location: str) -> Iterator[Backend]:
    """Open the backend at `location`, which is `s3://BUCKET/PREFIX` or the path of a folder.

    Raises:
        NotADirectoryError: The folder does not exist.
    """
    if location.startswith(S3_SCHEME):
        with object_store.open_client(**BOTO_CONFIG) as client:
            yield BucketBackend(client, *object_store.parse_location(location))
        return
    if not Path(location).is_dir():
        raise NotADirectoryError(f"there is no folder {location}")
    yield FolderBackend(Path(location))


class FolderBackend:
    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def exists(self, name: str) -> bool:
        return (self._folder / name).exists()

    def put(self, file: Path, name: str) -> None:
        target = self._folder / name
        target.parent.mkdir(parents=True, exist_ok=True)
        aside = target.with_name(f".{target.name}.{os.getpid()}")
        aside.unlink(missing_ok=True)
        shutil.copyfile(file, aside)
        with suppress(OSError):  # keeps a file private if the file system has modes
            shutil.copymode(file, aside)
        aside.rename(target)

    def get(self, name: str, file: Path) -> None:
        shutil.copyfile(self._folder / name, file)

    def remove(self, name: str) -> None:
        target = self._folder / name
        if target.is_dir():
            shutil.rmtree(target)
        else:
            target.unlink(missing_ok=True)


class BucketBackend:
    def __init__(self, client: Any, bucket: str, prefix: str) -> None:
        self._client, self._bucket, self._prefix = client, bucket, prefix

    def exists(self, name: str) -> bool:
        return object_store.object_exists(self._client, self._bucket, self._key(name))

    def put(self, file: Path, name: str) -> None:
        with self._transfer() as transfer:
            transfer.upload(str(file), self._bucket, self._key(name)).result()

    def get(self, name: str, file: Path) -> None:
        with object_store.translate_unreadable_answers(), self._transfer() as transfer:
            transfer.download(self._bucket, self._key(name), str(file)).result()

    def remove(self, name: str) -> None:
        key = self._key(name)
        for each in [*object_store.list_objects(self._client, self._bucket, key)]:
            if each.key == key or each.key.startswith(f"{key}/"):
                self._client.delete_object(Bucket=self._bucket, Key=each.key)

    def _transfer(self) -> Any:
        from s3transfer.manager import TransferManager

        return TransferManager(self._client)

    def _key(self, name: str) -> str:
        return f"{self._prefix}/{name}" if self._prefix else name
