"""Client of the training storage: objects below `s3://BUCKET/PREFIX`, or files in a folder that all machines mount.

The storage is not trusted. Readers verify each file against a digest that they received by another way.
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
TRAINING_AWS_VARIABLES = (
    "HALLMARK_TRAINING_AWS_ACCESS_KEY_ID",
    "HALLMARK_TRAINING_AWS_SECRET_ACCESS_KEY",
    "HALLMARK_TRAINING_AWS_SESSION_TOKEN",
    "HALLMARK_TRAINING_AWS_ENDPOINT_URL",
    "HALLMARK_TRAINING_AWS_DEFAULT_REGION",
    "HALLMARK_TRAINING_AWS_CA_BUNDLE",
)
"""Environment variables that override the AWS_* variables for the training storage. They are read on the machine that
starts a training run."""
MAX_OUTAGE_SECONDS = 600.0
"""Maximum duration in seconds of an outage of the storage. During an outage, training continues up to its next
checkpoint."""
SETTINGS_RETRY_SECONDS = 20.0
"""Duration in seconds of retries after an error that wrong settings can cause, if the storage has never answered.

Such errors are a bad request, a failed TLS handshake, and an answer that does not come from an object store.
"""
RETRY_INTERVAL_SECONDS = 3.0


def storage_location() -> str:
    """Return the storage's location from the environment; an empty string if it is not set."""
    return os.environ.get(LOCATION_VARIABLE, "").rstrip("/")


def storage_from_environment() -> "TrainingStorage | None":
    """Return the storage that the environment variables describe; None if they describe none.

    The values of AWS_VARIABLES are copied to the AWS_* variables of this process.

    Raises:
        InputError: The location is malformed, or its folder does not exist.
    """
    where = storage_location()
    if not where and not os.environ.get(LOCATION_VARIABLE):
        return None
    bucket = where.removeprefix(S3_SCHEME).partition("/")[0]
    if not (where.startswith("/") or (where.startswith(S3_SCHEME) and bucket)):
        raise InputError(
            f"{LOCATION_VARIABLE}: expected s3://BUCKET/PREFIX or a folder that begins with /, got {where or '/'}"
        )
    if where.startswith("/") and not Path(where).is_dir():
        raise InputError(f"{LOCATION_VARIABLE}: there is no folder {where}; make it, or correct the setting")
    for name in TRAINING_AWS_VARIABLES:
        if value := os.environ.get(name):
            os.environ[aws_variable_name(name)] = value
    return TrainingStorage(where)


def aws_variable_name(name: str) -> str:
    return name.removeprefix("HALLMARK_TRAINING_")


class TrainingStorage:
    """Client of the storage at `where`, which is `s3://BUCKET/PREFIX` or the absolute path of a folder."""

    def __init__(self, location: str) -> None:
        self.location = location
        self.has_answered = False
        """Whether the storage has answered at least once, so that its settings must be right."""

    def put(self, files: Sequence[tuple[str, Path]], overwrite: bool = True) -> None:
        """Store files under the given names.

        Args:
            files: Name and local path of each file.
            overwrite: Whether to replace files that are already stored.

        Raises:
            InputError: The bucket does not exist, or the storage cannot be reached with these settings.
            Unavailable: The storage did not answer for MAX_OUTAGE_SECONDS, or is full.
        """
        try:
            self._with_retries([partial(_store_file, file=file, name=name, again=overwrite) for name, file in files])
        except FileNotFoundError as error:
            raise InputError(
                f"{LOCATION_VARIABLE}: nothing can be stored in {self.location} ({error}); is there such a bucket?"
            ) from None

    def get(self, files: Sequence[tuple[str, Path]]) -> None:
        """Download stored files.

        Args:
            files: Name and local path of each file.

        Raises:
            Refused: No file is stored under one of the names.
            InputError: The storage cannot be reached with these settings.
            Unavailable: The storage did not answer for MAX_OUTAGE_SECONDS, or the disk is full.
        """
        try:
            self._with_retries([methodcaller("get", name, file) for name, file in files])
        except FileNotFoundError as error:
            raise Refused(f"{self.location} lacks what was stored there ({error})") from None

    def remove(self, *names: str) -> None:
        """Remove stored files and folders.

        A failure is only printed, because files that remain do no harm.
        """
        assert all(names), "an empty name would be all of the storage"
        try:
            self._with_retries([methodcaller("remove", name) for name in names])
        except (HallmarkError, OSError) as error:
            print(f"{self.location}/{names[0]} is left behind: {error}", flush=True)

    def _remedy(self) -> str:
        if not self.location.startswith(S3_SCHEME):
            return "let the person who runs this write there"
        return (
            f"give it keys in {TRAINING_AWS_VARIABLES[0]} and its like, and the machines of the cluster in AWS_*; or "
            "set its clock, since a store believes none that is minutes off"
        )

    def _with_retries(self, operations: Sequence[Callable[[Backend], object]]) -> None:
        left, since = deque(operations), 0.0
        while left:
            try:
                with backends.open_backend(self.location) as store:
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
            time.sleep(RETRY_INTERVAL_SECONDS)

    def _raise_if_hopeless(self, error: Exception, waited: float) -> None:
        setting = _may_be_settings_error(error) and not self.has_answered
        if setting and (_is_local_error(error) or waited > SETTINGS_RETRY_SECONDS):
            raise InputError(
                f"the storage {self.location} cannot be reached as it is set ({_error_text(error)}); look at bucket "
                f"and prefix of {LOCATION_VARIABLE}, at {', '.join(TRAINING_AWS_VARIABLES[3:])}, and on the "
                "cluster's machines at AWS_*"
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


def _store_file(store: Backend, file: Path, name: str, again: bool) -> None:
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
