"""Objects in S3 or a compatible store, opened with the usual AWS_* settings, and errors from the store's answers.

s3fs turns each failed answer into an OSError: EBUSY both for an object that was replaced and for a store that is
overloaded. The answer is the cause of that error, and its HTTP status distinguishes the two.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import IO, Any

from tasks.core import object_store
from tasks.core.errors import HallmarkError, InputError, Unavailable

REQUEST_BYTES = 8 << 20
"""Bytes of one request."""
REPLACED_STATUSES = (412, 416)
"""HTTP statuses for an object that is not the one that was opened (`If-Match`), or is now shorter."""
TEMPORARY_STATUSES = (408, 409, 425, 429)
"""HTTP statuses below 500 for temporary failures of the store."""


@contextmanager
def open_object(location: str, where: str) -> Iterator[IO[bytes]]:
    """Yield the object `s3://BUCKET/KEY` as a binary file.

    Messages name the object by `where`, since its location may contain secrets.

    Raises:
        FileNotFoundError: There is no such object.
        PermissionError: The credentials do not permit reading the object.
        InputError: The store refuses the request, or the object changed while it was read.
        Unavailable: The store cannot be reached or cannot answer.
    """
    from aiohttp import ClientError as Broken
    from botocore.exceptions import BotoCoreError, ClientError, ParamValidationError

    try:
        with object_store.opened() as store, _opened(store, location, where) as file:
            yield file
    except (FileNotFoundError, PermissionError):
        raise
    except ParamValidationError:
        raise _refused(where, "it names no bucket that there could be") from None
    except RecursionError:  # botocore asks where the bucket is after every answer 301, so a store can keep it asking
        raise _refused(where, "it only sends us elsewhere") from None
    except (BotoCoreError, Broken, ConnectionError, TimeoutError) as error:
        # The error's text has the URL, and so the values of the location's variables.
        raise Unavailable(f"{where} cannot be reached ({type(error).__name__}); check AWS_* and the network") from None
    except (ClientError, OSError) as error:
        failure = _failure(error, where)
        if failure is None:
            raise
        raise failure from None


def _opened(store: Any, location: str, where: str) -> Any:
    try:
        return store.open(location, "rb", block_size=REQUEST_BYTES, cache_type="readahead")
    except KeyError:  # the answer has no length
        raise _refused(where, "it does not say how long the object is") from None
    except ValueError:  # the location has a bucket and no key
        raise InputError(f"{where} names no object; expected s3://BUCKET/KEY") from None


def _failure(error: Exception, where: str) -> HallmarkError | None:
    """Return the error to raise for an answer of the store; None if no answer caused the error."""
    answer = _answer(error)
    if answer is None:
        return None
    status = answer.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
    if status in REPLACED_STATUSES:
        return InputError(f"{where} changed while it was read; resolve again")
    said = f"the store answers {status} ({answer.get('Error', {}).get('Code', 'no code')})"
    if 300 <= status < 500 and status not in TEMPORARY_STATUSES:
        return _refused(where, said)
    return Unavailable(f"{where} cannot be read now: {said}; try again later")


def _answer(error: BaseException | None) -> dict[str, Any] | None:
    """Return the store's answer, as botocore parsed it, from the causes of an error of s3fs."""
    while error is not None:
        answer = getattr(error, "response", None)
        if isinstance(answer, dict):
            return answer
        error = error.__cause__
    return None


def _refused(where: str, why: str) -> InputError:
    return InputError(f"{where} is refused by the store ({why}); correct its location in sources.yaml, or AWS_*")
