"""The storage of a training: objects below `s3://BUCKET/PREFIX`, or files below a folder that every machine mounts.

Nothing in it is believed: whoever reads an object knows its digest from elsewhere.
"""

import os
import shutil
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

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

    def put(self, files: Sequence[tuple[str, Path]]) -> None:
        """Store files by name; a name that is there already keeps what it has."""

        def act(store: Any) -> None:
            for name, file in files:
                self._put(store, file, self._path(name))

        self._patiently(act)

    def get(self, files: Sequence[tuple[str, Path]]) -> None:
        """Fetch them. Raises Refused where one is not there."""

        def act(store: Any) -> None:
            for name, file in files:
                store.get_file(self._path(name), str(file))

        try:
            self._patiently(act)
        except FileNotFoundError as error:
            raise Refused(f"{self.where} lacks what a training needs, and was stored there ({error})") from None

    def remove(self, *names: str) -> None:
        """Objects, and all that lies below."""

        def act(store: Any) -> None:
            for path in map(self._path, names):
                if store.exists(path):
                    store.rm(path, recursive=True)

        self._patiently(act)

    def _put(self, store: Any, file: Path, path: str) -> None:
        if store.exists(path):
            return
        if self.where.startswith(S3):
            store.put_file(str(file), path)
            return
        target = Path(path)
        target.parent.mkdir(parents=True, exist_ok=True)
        aside = target.with_name(f".{target.name}.{os.getpid()}")
        shutil.copyfile(file, aside)
        aside.rename(target)

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

    def _patiently(self, act: Callable[[Any], object]) -> None:
        """Act on the storage, and again for a while where it is away.

        Raises InputError for keys that the storage does not take, FileNotFoundError where there is no such object,
        Unavailable where it stays away."""
        until = time.monotonic() + PATIENCE_SECONDS
        while True:
            try:
                with self._files() as store:
                    act(store)
                return
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
                        f"the storage {self.where} was away for {PATIENCE_SECONDS:.0f} s ({_words(error)}); the "
                        "checkpoints that were whole are kept: run again to go on from the last"
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
