"""Objects in S3 or a compatible store, opened with the usual AWS_* settings. Errors explain the store's answers."""

import io
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from typing import IO, TYPE_CHECKING, Any

from tasks.core import object_store
from tasks.core.errors import HallmarkError, InputError, Unavailable
from tasks.stages.data.readers.folder_stream import FolderFile

if TYPE_CHECKING:
    from botocore.exceptions import ClientError

REQUEST_BYTES = 8 << 20
READ_ATTEMPTS = 5
"""Maximum number of attempts to read a response that the store cuts off."""
REPLACED_STATUSES = (412, 416)
"""HTTP status codes for an object that was replaced (`If-Match`) or became shorter after it was opened."""
TEMPORARY_STATUSES = (408, 409, 425, 429)
"""HTTP status codes below 500 for temporary failures of the store."""


@contextmanager
def open_object(location: str, display_name: str) -> Iterator[IO[bytes]]:
    """Yield the object `s3://BUCKET/KEY` as a binary file.

    Error messages name the object by `display_name`, because its location may contain secrets.

    Raises:
        FileNotFoundError: The object does not exist.
        PermissionError: The credentials do not allow reading the object.
        InputError: The store refuses the request, or the object changed while it was read.
        Unavailable: The store cannot be reached or cannot answer.
    """
    place = object_store.parse_location(location)
    if not place.bucket or not place.key:
        raise InputError(f"{display_name} names no object; expected s3://BUCKET/KEY")
    with _open_store(display_name) as store:
        yield io.BufferedReader(_S3File(store, place, display_name), REQUEST_BYTES)


@contextmanager
def open_folder(location: str, display_name: str) -> Iterator["S3Folder"]:
    """Yield the objects whose location begins with `s3://BUCKET/PREFIX/`. Raise the errors of `open_object`."""
    with _open_store(display_name) as store:
        yield S3Folder(store, object_store.parse_location(location), display_name)


class S3Folder:
    def __init__(self, store: Any, place: object_store.ObjectLocation, display_name: str) -> None:
        self._store, self._place, self._where = store, place, display_name

    def list_files(self) -> Iterator[FolderFile]:
        for listed in object_store.list_objects(self._store, self._place.bucket, self._place.key):
            if not listed.key.endswith("/"):  # an object that stands for a folder
                yield FolderFile(listed.key.removeprefix(self._place.key), listed.size)

    def open_file(self, name: str) -> IO[bytes]:
        place = self._place._replace(key=self._place.key + name)
        return io.BufferedReader(_S3File(self._store, place, self._where), REQUEST_BYTES)


@contextmanager
def _open_store(display_name: str) -> Iterator[Any]:
    from botocore.exceptions import BotoCoreError, ClientError, ParamValidationError

    try:
        with object_store.open_client() as store:
            yield store
    except ParamValidationError:
        raise _refused_error(display_name, "it names no bucket that there could be") from None
    except object_store.UnreadableAnswer:
        raise _refused_error(display_name, "its answer cannot be read") from None
    except BotoCoreError as error:
        # The error's text has the URL, and so the values of the location's variables.
        raise Unavailable(
            f"{display_name} cannot be reached ({type(error).__name__}); check AWS_* and the network"
        ) from None
    except ClientError as error:
        raise _answer_error(error, display_name) from None
    except object_store.InvalidEndpoint:
        raise InputError(f"{display_name} cannot be reached: AWS_ENDPOINT_URL is no URL; correct it") from None


class _S3File(io.RawIOBase):
    def __init__(self, store: Any, place: object_store.ObjectLocation, where: str) -> None:
        self._store, self._place, self._where = store, place, where
        found = self._ask(store.head_object)
        if "ContentLength" not in found:
            raise _refused_error(where, "it does not say how long the object is")
        self._size, self._at = found["ContentLength"], 0
        self._unchanged = {"IfMatch": found["ETag"]} if "ETag" in found else {}

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        view = memoryview(buffer)
        length = min(len(view), self._size - self._at)
        if length:
            view[:length] = self._read(length)
            self._at += length
        return length

    def _read(self, length: int) -> bytes:
        from botocore.exceptions import HTTPClientError, IncompleteReadError

        for attempt in range(1, READ_ATTEMPTS + 1):
            answer = self._ask(
                self._store.get_object, Range=f"bytes={self._at}-{self._at + length - 1}", **self._unchanged
            )
            try:
                with closing(answer["Body"]) as body:
                    data: bytes = body.read(length)
                if len(data) != length:
                    raise IncompleteReadError(actual_bytes=len(data), expected_bytes=length)
                return data
            except (HTTPClientError, IncompleteReadError):
                if attempt == READ_ATTEMPTS:
                    raise
        raise AssertionError

    def _ask(self, request: Callable[..., dict[str, Any]], **options: str) -> dict[str, Any]:
        return request(Bucket=self._place.bucket, Key=self._place.key, **options)


def _answer_error(error: "ClientError", where: str) -> HallmarkError:
    status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
    if status in REPLACED_STATUSES:
        return InputError(f"{where} changed while it was read; resolve again")
    answer = f"the store answers {status} ({object_store.error_code(error) or 'no code'})"
    if 300 <= status < 500 and status not in TEMPORARY_STATUSES:
        return _refused_error(where, answer)
    return Unavailable(f"{where} cannot be read now: {answer}; try again later")


def _refused_error(where: str, why: str) -> InputError:
    return InputError(f"{where} is refused by the store ({why}); correct its location in sources.yaml, or AWS_*")
