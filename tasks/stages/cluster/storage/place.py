"""Client of the training storage: objects below `s3://BUCKET/PREFIX`, or files below a folder that all machines mount.

The storage is not trusted: readers compare each object with a digest that they have from elsewhere.
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
"""Variables with which the machine that starts a training sets the AWS_* variables of the training's storage."""
PATIENCE_SECONDS = 600.0
"""Seconds for which the storage may be unreachable. Training continues meanwhile, up to its next checkpoint."""
SETTING_SECONDS = 20.0
"""Seconds to retry after an error that only may be due to wrong settings, if the storage has not answered before.

Such errors are a bad request and a failed TLS handshake.
"""
AGAIN_SECONDS = 3.0
BOTO = {"connect_timeout": 5, "read_timeout": 60, "retries": {"max_attempts": 1}}
"""Settings of botocore for a single request; timeouts are in seconds."""
S3 = "s3://"


def setting() -> str:
    """Return the location of the storage from the environment, empty if it is not set."""
    return os.environ.get(SETTING, "").rstrip("/")


def named() -> "Place | None":
    """Return the storage that the environment names, or None, and set the AWS_* variables from those in KEYS.

    Raises:
        InputError: The location is malformed, or its folder does not exist.
    """
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
    """Return botocore's name of a variable in KEYS."""
    return name.removeprefix("HALLMARK_TRAINING_")


class Place:
    """Storage at `where`, which is s3://BUCKET/PREFIX or the absolute path of a folder."""

    def __init__(self, where: str) -> None:
        self.where = where
        self.answered = False
        """Whether the storage has answered at least once, so that its settings must be right."""

    def put(self, files: Sequence[tuple[str, Path]], again: bool = True) -> None:
        """Store files under names; if `again` is False, names that exist already are left as they are.

        Raises:
            InputError: The bucket does not exist, or the storage cannot be reached with these settings.
            Unavailable: The storage did not answer for PATIENCE_SECONDS, or is full.
        """
        try:
            self._patiently([partial(self._put, file=file, path=self._path(name), again=again) for name, file in files])
        except FileNotFoundError as error:
            raise InputError(
                f"{SETTING}: nothing can be stored in {self.where} ({error}); is there such a bucket?"
            ) from None

    def get(self, files: Sequence[tuple[str, Path]]) -> None:
        """Fetch each name into its file.

        Raises:
            Refused: The storage has no such name.
            InputError: The storage cannot be reached with these settings.
            Unavailable: The storage did not answer for PATIENCE_SECONDS, or the disk is full.
        """
        try:
            self._patiently([partial(_get, path=self._path(name), file=file) for name, file in files])
        except FileNotFoundError as error:
            raise Refused(f"{self.where} lacks what was stored there ({error})") from None

    def remove(self, *names: str) -> None:
        """Remove names and everything below them. A failure is printed and not raised, since it does no harm."""
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
        with suppress(OSError):  # keeps a file private if the file system has modes
            shutil.copymode(file, aside)
        aside.rename(target)

    def _path(self, name: str) -> str:
        return f"{self.where}/{name}"

    def _remedy(self) -> str:
        if not self.where.startswith(S3):
            return "let the person who runs this write there"
        return (
            f"give it keys in {KEYS[0]} and its like, and the machines of the cluster in AWS_*; or set its clock, "
            "since a store believes none that is minutes off"
        )

    @contextmanager
    def _files(self) -> Iterator[Any]:
        if self.where.startswith(S3):
            with object_store.reached(**BOTO) as store:
                yield store
        else:
            import fsspec

            if not Path(self.where).is_dir():
                raise NotADirectoryError(f"there is no folder {self.where}")
            yield fsspec.filesystem("file")

    def _patiently(self, acts: Sequence[Callable[[Any], object]]) -> None:
        """Perform each act once, with retries for PATIENCE_SECONDS while the storage does not answer.

        Raises FileNotFoundError if an object does not exist, and the errors of `_give_up`.
        """
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
        """Raise an error that a person can act on if another attempt would not help; `waited` is in seconds."""
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
    """Return whether an error may be due to a wrong name, address or file of settings, so that retries may not help."""
    from botocore.exceptions import SSLError

    bad_request = isinstance(error, OSError) and error.errno == errno.EINVAL
    return _is_ours(error) or bad_request or isinstance(error, SSLError)


def _is_ours(error: Exception) -> bool:
    """Return whether the error arose from settings on this machine, before a request was sent."""
    from botocore import exceptions as boto

    kinds = (ValueError, boto.ProfileNotFound, boto.ConfigParseError, boto.ConfigNotFound, boto.ParamValidationError)
    return isinstance(error, kinds)


def _is_refusal(error: Exception) -> bool:
    """Return whether the storage refused this machine's keys or had none, so that retries do not help."""
    from botocore.exceptions import NoCredentialsError, PartialCredentialsError

    return isinstance(error, (PermissionError, NoCredentialsError, PartialCredentialsError))


def _words(error: Exception) -> str:
    return " ".join(str(error).split())[:200] or type(error).__name__
