"""The storage of a training: objects below `s3://BUCKET/PREFIX`, or files below a folder that every machine mounts.

Nothing in it is believed: whoever reads an object knows its digest from elsewhere.
"""

import errno
import os
import shutil
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path
from typing import Any

from tasks.core import object_store
from tasks.core.errors import HallmarkError, InputError, Refused, Unavailable, is_full_disk

SETTING = "HALLMARK_TRAINING_STORAGE"
KEYS = (
    "HALLMARK_TRAINING_AWS_ACCESS_KEY_ID",
    "HALLMARK_TRAINING_AWS_SECRET_ACCESS_KEY",
    "HALLMARK_TRAINING_AWS_SESSION_TOKEN",
    "HALLMARK_TRAINING_AWS_ENDPOINT_URL",
    "HALLMARK_TRAINING_AWS_DEFAULT_REGION",
    "HALLMARK_TRAINING_AWS_CA_BUNDLE",
)
"""The AWS_* settings that the machine which starts a training uses for it, and for nothing else."""
PATIENCE_SECONDS = 600.0
"""How long a storage may be away. Training goes on meanwhile, up to its next checkpoint."""
SETTING_SECONDS = 20.0
"""How long a storage that never answered may say what only looks as if it were asked in a wrong way: a bad request, a
connection without TLS."""
AGAIN_SECONDS = 3.0
BOTO = {"connect_timeout": 5, "read_timeout": 60, "retries": {"max_attempts": 1}}
"""Seconds and tries of a single request."""
S3 = "s3://"


def setting() -> str:
    """What the environment says; empty where it names none."""
    return os.environ.get(SETTING, "").rstrip("/")


def named() -> "Place | None":
    """The one that the environment names. Raises InputError for one that there cannot be."""
    where = setting()
    if not where and not os.environ.get(SETTING):
        return None
    bucket = where.removeprefix(S3).partition("/")[0]
    if not (where.startswith("/") or (where.startswith(S3) and bucket)):
        raise InputError(f"{SETTING}: expected s3://BUCKET/PREFIX or a folder that begins with /, got {where or '/'}")
    if where.startswith("/") and not Path(where).is_dir():
        raise InputError(f"{SETTING}: there is no folder {where}; make it, or correct the setting")
    for name in KEYS:
        if value := os.environ.get(name):
            os.environ[usual(name)] = value
    return Place(where)


def usual(name: str) -> str:
    """What botocore calls a setting of KEYS."""
    return name.removeprefix("HALLMARK_TRAINING_")


class Place:
    """`where`: s3://BUCKET/PREFIX, or an absolute folder."""

    def __init__(self, where: str) -> None:
        self.where = where
        self.answered = False
        """Once, so that it is asked in the right way."""

    def put(self, files: Sequence[tuple[str, Path]], again: bool = True) -> None:
        """Store files by name; with `again` False a name that is there already keeps what it has.

        Raises InputError where there is no such bucket."""
        try:
            self._patiently([partial(self._put, file=file, path=self._path(name), again=again) for name, file in files])
        except FileNotFoundError as error:
            raise InputError(
                f"{SETTING}: nothing can be stored in {self.where} ({error}); is there such a bucket?"
            ) from None

    def get(self, files: Sequence[tuple[str, Path]]) -> None:
        """Fetch them. Raises Refused where one is not there."""
        try:
            self._patiently([partial(_get, path=self._path(name), file=file) for name, file in files])
        except FileNotFoundError as error:
            raise Refused(f"{self.where} lacks what was stored there ({error})") from None

    def remove(self, *names: str) -> None:
        """Objects, and all that lies below. Where they cannot be removed it says so, and nothing is lost."""
        assert all(names), "an empty name would be all of the storage"
        try:
            self._patiently([partial(_remove, path=self._path(name)) for name in names])
        except (HallmarkError, OSError) as error:
            print(f"{self.where}/{names[0]} is left behind: {error}", flush=True)

    def _put(self, store: Any, file: Path, path: str, again: bool) -> None:
        if not again and store.exists(path):
            return
        if self.where.startswith(S3):
            store.put_file(str(file), path)
            return
        target = Path(path)
        target.parent.mkdir(parents=True, exist_ok=True)
        aside = target.with_name(f".{target.name}.{os.getpid()}")
        aside.unlink(missing_ok=True)
        shutil.copyfile(file, aside)
        with suppress(OSError):  # where the disk has modes, a file that others may not read stays one
            shutil.copymode(file, aside)
        aside.rename(target)

    def _path(self, name: str) -> str:
        return f"{self.where}/{name}"

    def _remedy(self) -> str:
        """Where it refuses this machine."""
        if not self.where.startswith(S3):
            return "let the person who runs this write there"
        return (
            f"give it keys in {KEYS[0]} and its like, and the machines of the cluster in AWS_*; or set its clock, "
            "since a store believes none that is minutes off"
        )

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

    def _patiently(self, acts: Sequence[Callable[[Any], object]]) -> None:
        """Act on the storage, once each, and again for a while where it is away.

        Raises InputError for keys that the storage does not take, FileNotFoundError where there is no such object,
        Unavailable where it stays away."""
        left, since = deque(acts), 0.0
        while left:
            try:
                with self._files() as store:
                    while left:
                        left[0](store)
                        left.popleft()
                        self.answered, since = True, 0.0
                return
            except Exception as error:
                if isinstance(error, (FileNotFoundError, HallmarkError)) or not _is_of_a_storage(error):
                    raise
                self._give_up(error, time.monotonic() - since if since else 0.0)
                if not since:
                    since = time.monotonic()
                    print(f"the storage {self.where} does not answer ({_words(error)}); waiting for it", flush=True)
            time.sleep(AGAIN_SECONDS)

    def _give_up(self, error: Exception, waited: float) -> None:
        """Raises what there is to say where waiting helps no more, after so many seconds of it."""
        setting = _is_setting(error) and not self.answered
        if setting and (_is_ours(error) or waited > SETTING_SECONDS):
            raise InputError(
                f"the storage {self.where} cannot be reached as it is set ({_words(error)}); look at bucket and prefix "
                f"of {SETTING}, at {', '.join(KEYS[3:])}, and on the cluster's machines at AWS_*"
            ) from None
        if _is_refusal(error):
            raise InputError(
                f"the storage {self.where} refuses this machine ({_words(error)}); {self._remedy()}"
            ) from None
        if is_full_disk(error):
            raise Unavailable(f"no space left, here or in {self.where} ({_words(error)}); free some") from None
        if waited > PATIENCE_SECONDS:
            raise Unavailable(
                f"the storage {self.where} was away for {PATIENCE_SECONDS:.0f} s ({_words(error)}); run again: a "
                "training then goes on from the last checkpoint that was whole"
            ) from None


def _get(store: Any, path: str, file: Path) -> None:
    store.get_file(path, str(file))


def _remove(store: Any, path: str) -> None:
    if store.exists(path):
        store.rm(path, recursive=True)


def _is_of_a_storage(error: Exception) -> bool:
    from aiohttp import ClientError as Broken
    from botocore.exceptions import BotoCoreError, ClientError

    return isinstance(error, (OSError, Broken, BotoCoreError, ClientError, RecursionError, ValueError))


def _is_setting(error: Exception) -> bool:
    """It is asked in a way in which it may never answer: a name, an address or a file of settings is wrong."""
    from botocore.exceptions import SSLError

    bad_request = isinstance(error, OSError) and error.errno == errno.EINVAL
    return _is_ours(error) or bad_request or isinstance(error, SSLError)


def _is_ours(error: Exception) -> bool:
    """It was not even asked."""
    from botocore import exceptions as boto

    kinds = (ValueError, boto.ProfileNotFound, boto.ConfigParseError, boto.ConfigNotFound, boto.ParamValidationError)
    return isinstance(error, kinds)


def _is_refusal(error: Exception) -> bool:
    """No waiting helps."""
    from botocore.exceptions import NoCredentialsError, PartialCredentialsError

    return isinstance(error, (PermissionError, NoCredentialsError, PartialCredentialsError))


def _words(error: Exception) -> str:
    return " ".join(str(error).split())[:200] or type(error).__name__
