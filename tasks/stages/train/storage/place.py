"""The storage of a training: objects below `s3://BUCKET/PREFIX`, or files below a folder that every machine mounts.

Nothing in it is believed: whoever reads an object knows its digest from elsewhere.
"""

import os
import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

from tasks.core import object_store
from tasks.core.errors import HallmarkError, InputError, Refused, Unavailable, is_full_disk

SETTING = "HALLMARK_TRAINING_STORAGE"
KEYS = "HALLMARK_TRAINING_"
"""Begins the names of the AWS_* settings that the machine which starts a training uses for it, and for nothing else."""
PATIENCE_SECONDS = 600.0
"""How long a storage may be away. Training goes on meanwhile, up to its next checkpoint."""
AGAIN_SECONDS = 3.0
BOTO = {"connect_timeout": 5, "read_timeout": 60, "retries": {"max_attempts": 1}}
"""Seconds and tries of a single request."""
S3 = "s3://"
Result = TypeVar("Result")


def named() -> "Place | None":
    """The one that the environment names. Raises InputError for one that there cannot be."""
    where = os.environ.get(SETTING, "").rstrip("/")
    if not where:
        return None
    bucket = where.removeprefix(S3).partition("/")[0]
    if not (where.startswith("/") or (where.startswith(S3) and bucket)):
        raise InputError(f"{SETTING}: expected s3://BUCKET/PREFIX or a folder that begins with /, got {where}")
    for name, value in list(os.environ.items()):
        if name.startswith(f"{KEYS}AWS_"):
            os.environ[name.removeprefix(KEYS)] = value
    return Place(where)


class Place:
    """`where`: s3://BUCKET/PREFIX, or an absolute folder."""

    def __init__(self, where: str) -> None:
        self.where = where

    def put(self, file: Path, name: str) -> None:
        """Store a file under a name; a name that is there already keeps what it has."""
        self._patiently(lambda: self._put(file, name))

    def get(self, name: str, file: Path) -> None:
        """Raises Refused where there is no such object."""
        try:
            self._patiently(lambda: self._get(name, file))
        except FileNotFoundError:
            raise Refused(f"{self.where} has no {name}; it was removed while a training needed it") from None

    def remove(self, prefix: str) -> None:
        """All below a prefix, or the object of that name."""
        self._patiently(lambda: self._remove(prefix))

    def _put(self, file: Path, name: str) -> None:
        with self._files() as files:
            if files.exists(self._path(name)):
                return
            if self.where.startswith(S3):
                files.put_file(str(file), self._path(name))
                return
            target = Path(self._path(name))
            target.parent.mkdir(parents=True, exist_ok=True)
            aside = target.with_name(f".{target.name}.{os.getpid()}")
            shutil.copyfile(file, aside)
            aside.rename(target)

    def _get(self, name: str, file: Path) -> None:
        with self._files() as files:
            files.get_file(self._path(name), str(file))

    def _remove(self, prefix: str) -> None:
        with self._files() as files:
            if files.exists(self._path(prefix)):
                files.rm(self._path(prefix), recursive=True)

    def _path(self, name: str) -> str:
        return f"{self.where}/{name}"

    @contextmanager
    def _files(self) -> Iterator[Any]:
        """A file system of fsspec."""
        if self.where.startswith(S3):
            with object_store.reached(**BOTO) as store:
                yield store
        else:
            import fsspec

            if not Path(self.where).is_dir():
                raise NotADirectoryError(f"there is no folder {self.where}")
            yield fsspec.filesystem("file")

    def _patiently(self, act: Callable[[], Result]) -> Result:
        """What it gives, tried again for a while where the storage is away.

        Raises InputError for keys that the storage does not take, FileNotFoundError where there is no such object,
        Unavailable where it stays away."""
        until = time.monotonic() + PATIENCE_SECONDS
        while True:
            try:
                return act()
            except Exception as error:
                if isinstance(error, (FileNotFoundError, HallmarkError)) or not _is_of_a_storage(error):
                    raise
                if _is_refusal(error):
                    raise InputError(
                        f"the storage {self.where} refuses this machine ({_words(error)}); give it keys in "
                        f"{KEYS}AWS_*, and the machines of the cluster in AWS_*"
                    ) from None
                if time.monotonic() > until:
                    raise Unavailable(
                        f"the storage {self.where} was away for {PATIENCE_SECONDS:.0f} s ({_words(error)}); checkpoints "
                        "that were whole are kept: run again to go on from the last"
                    ) from None
                if is_full_disk(error):
                    raise Unavailable(f"no space left for {self.where} ({_words(error)}); free some") from None
            time.sleep(AGAIN_SECONDS)


def _is_of_a_storage(error: Exception) -> bool:
    from aiohttp import ClientError as Broken
    from botocore.exceptions import BotoCoreError, ClientError

    return isinstance(error, (OSError, Broken, BotoCoreError, ClientError, RecursionError))


def _is_refusal(error: Exception) -> bool:
    """No waiting helps."""
    from botocore.exceptions import NoCredentialsError, ParamValidationError, PartialCredentialsError

    return isinstance(error, (PermissionError, NoCredentialsError, PartialCredentialsError, ParamValidationError))


def _words(error: Exception) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0][:200]
