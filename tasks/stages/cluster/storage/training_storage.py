"""Client of the training storage: objects below `s3://BUCKET/PREFIX`, or files below a folder that all machines mount.

The storage is not trusted: readers compare each object with a digest that they have from elsewhere.
"""

import os
import time
from collections import deque
from collections.abc import Callable, Sequence
from functools import partial
from operator import methodcaller
from pathlib import Path

from tasks.core import object_store
from tasks.core.errors import HallmarkError, InputError, Refused, Unavailable, is_disk_full
from tasks.stages.cluster.storage import backends
from tasks.stages.cluster.storage.backends import S3_SCHEME, Backend

LOCATION_VARIABLE = "HALLMARK_TRAINING_STORAGE"
AWS_VARIABLES = (
    "HALLMARK_TRAINING_AWS_ACCESS_KEY_ID",
    "HALLMARK_TRAINING_AWS_SECRET_ACCESS_KEY",
    "HALLMARK_TRAINING_AWS_SESSION_TOKEN",
    "HALLMARK_TRAINING_AWS_ENDPOINT_URL",
    "HALLMARK_TRAINING_AWS_DEFAULT_REGION",
    "HALLMARK_TRAINING_AWS_CA_BUNDLE",
)
"""Variables with which the machine that starts a training sets the AWS_* variables of the training's storage."""
MAX_OUTAGE_SECONDS = 600.0
"""Seconds for which the storage may be unreachable. Training continues meanwhile, up to its next checkpoint."""
SETTINGS_RETRY_SECONDS = 20.0
"""Seconds to retry after an error that only may be due to wrong settings, if the storage has not answered before.

Such errors are a bad request, a failed TLS handshake and an answer that no store gives.
"""
RETRY_SECONDS = 3.0


def location() -> str:
    """Return the location of the storage from the environment, empty if it is not set."""
    return os.environ.get(LOCATION_VARIABLE, "").rstrip("/")


def from_environment() -> "TrainingStorage | None":
    """Return the storage that the environment names, or None, and set the AWS_* variables from those in AWS_VARIABLES.

    Raises:
        InputError: The location is malformed, or its folder does not exist.
    """
    where = location()
    if not where and not os.environ.get(LOCATION_VARIABLE):
        return None
    bucket = where.removeprefix(S3_SCHEME).partition("/")[0]
    if not (where.startswith("/") or (where.startswith(S3_SCHEME) and bucket)):
        raise InputError(
            f"{LOCATION_VARIABLE}: expected s3://BUCKET/PREFIX or a folder that begins with /, got {where or '/'}"
        )
    if where.startswith("/") and not Path(where).is_dir():
        raise InputError(f"{LOCATION_VARIABLE}: there is no folder {where}; make it, or correct the setting")
    for name in AWS_VARIABLES:
        if value := os.environ.get(name):
            os.environ[boto_name(name)] = value
    return TrainingStorage(where)


def boto_name(name: str) -> str:
    """Return botocore's name of a variable in AWS_VARIABLES."""
    return name.removeprefix("HALLMARK_TRAINING_")


class TrainingStorage:
    """Storage at `where`, which is s3://BUCKET/PREFIX or the absolute path of a folder."""

    def __init__(self, where: str) -> None:
        self.location = where
        self.has_answered = False
        """Whether the storage has answered at least once, so that its settings must be right."""

    def put(self, files: Sequence[tuple[str, Path]], again: bool = True) -> None:
        """Store files under names; if `again` is False, names that exist already are left as they are.

        Raises:
            InputError: The bucket does not exist, or the storage cannot be reached with these settings.
            Unavailable: The storage did not answer for MAX_OUTAGE_SECONDS, or is full.
        """
        try:
            self._with_retries([partial(_put, file=file, name=name, again=again) for name, file in files])
        except FileNotFoundError as error:
            raise InputError(
                f"{LOCATION_VARIABLE}: nothing can be stored in {self.location} ({error}); is there such a bucket?"
            ) from None

    def get(self, files: Sequence[tuple[str, Path]]) -> None:
        """Fetch each name into its file.

        Raises:
            Refused: The storage has no such name.
            InputError: The storage cannot be reached with these settings.
            Unavailable: The storage did not answer for MAX_OUTAGE_SECONDS, or the disk is full.
        """
        try:
            self._with_retries([methodcaller("get", name, file) for name, file in files])
        except FileNotFoundError as error:
            raise Refused(f"{self.location} lacks what was stored there ({error})") from None

    def remove(self, *names: str) -> None:
        """Remove names and everything below them. A failure is printed and not raised, since it does no harm."""
        assert all(names), "an empty name would be all of the storage"
        try:
            self._with_retries([methodcaller("remove", name) for name in names])
        except (HallmarkError, OSError) as error:
            print(f"{self.location}/{names[0]} is left behind: {error}", flush=True)

    def _remedy(self) -> str:
        if not self.location.startswith(S3_SCHEME):
            return "let the person who runs this write there"
        return (
            f"give it keys in {AWS_VARIABLES[0]} and its like, and the machines of the cluster in AWS_*; or set its "
            "clock, since a store believes none that is minutes off"
        )

    def _with_retries(self, acts: Sequence[Callable[[Backend], object]]) -> None:
        """Perform each act once, with retries for MAX_OUTAGE_SECONDS while the storage does not answer.

        Raises FileNotFoundError if an object does not exist, and the errors of `_raise_if_hopeless`.
        """
        left, since = deque(acts), 0.0
        while left:
            try:
                with backends.opened(self.location) as store:
                    while left:
                        left[0](store)
                        left.popleft()
                        self.has_answered, since = True, 0.0
                return
            except Exception as error:
                if isinstance(error, (FileNotFoundError, HallmarkError)) or not _is_storage_error(error):
                    raise
                self._raise_if_hopeless(error, time.monotonic() - since if since else 0.0)
                if not since:
                    since = time.monotonic()
                    print(
                        f"the storage {self.location} does not answer ({_error_text(error)}); waiting for it",
                        flush=True,
                    )
            time.sleep(RETRY_SECONDS)

    def _raise_if_hopeless(self, error: Exception, waited: float) -> None:
        """Raise an error that a person can act on if another attempt would not help; `waited` is in seconds."""
        setting = _may_be_settings_error(error) and not self.has_answered
        if setting and (_is_local_error(error) or waited > SETTINGS_RETRY_SECONDS):
            raise InputError(
                f"the storage {self.location} cannot be reached as it is set ({_error_text(error)}); look at bucket "
                f"and prefix of {LOCATION_VARIABLE}, at {', '.join(AWS_VARIABLES[3:])}, and on the cluster's machines "
                "at AWS_*"
            ) from None
        if _is_refusal(error):
            raise InputError(
                f"the storage {self.location} refuses this machine ({_error_text(error)}); {self._remedy()}"
            ) from None
        if is_disk_full(error):
            raise Unavailable(f"no space left, here or in {self.location} ({_error_text(error)}); free some") from None
        if waited > MAX_OUTAGE_SECONDS:
            raise Unavailable(
                f"the storage {self.location} was away for {MAX_OUTAGE_SECONDS:.0f} s ({_error_text(error)}); run "
                "again: a training then goes on from the last checkpoint that was whole"
            ) from None


def _put(store: Backend, file: Path, name: str, again: bool) -> None:
    if again or not store.exists(name):
        store.put(file, name)


def _is_storage_error(error: Exception) -> bool:
    from botocore.exceptions import BotoCoreError, ClientError

    return isinstance(error, (OSError, BotoCoreError, ClientError, ValueError))


def _may_be_settings_error(error: Exception) -> bool:
    from botocore.exceptions import ClientError, SSLError

    bad_request = isinstance(error, ClientError) and error.response["ResponseMetadata"]["HTTPStatusCode"] == 400
    return _is_local_error(error) or bad_request or isinstance(error, (SSLError, object_store.UnreadableAnswer))


def _is_local_error(error: Exception) -> bool:
    from botocore import exceptions as boto

    kinds = (ValueError, boto.ProfileNotFound, boto.ConfigParseError, boto.ConfigNotFound, boto.ParamValidationError)
    return isinstance(error, kinds)


def _is_refusal(error: Exception) -> bool:
    from botocore.exceptions import NoCredentialsError, PartialCredentialsError

    return isinstance(error, (PermissionError, NoCredentialsError, PartialCredentialsError))


def _error_text(error: Exception) -> str:
    return " ".join(str(error).split())[:200] or type(error).__name__
