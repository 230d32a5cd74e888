"""An object of S3 or of a store like it, reached with the usual AWS_* settings, and what the store's answers mean.

s3fs turns each answer into an error of the system's: the same one, EBUSY, for an object that was replaced and for a
store that is overloaded. The answer itself stands behind it, and its HTTP status tells the two apart.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import IO, Any

from tasks.core import object_store
from tasks.core.errors import HallmarkError, InputError, Unavailable

BLOCK = 8 << 20
"""Bytes asked for at once."""
REPLACED = (412, 416)
"""The object is not the one that was opened (`If-Match`), or ends before what it then had."""
AGAIN = (408, 409, 425, 429)
"""Statuses below 500 that are the store's own trouble."""


@contextmanager
def opened(location: str, where: str) -> Iterator[IO[bytes]]:
    """`s3://BUCKET/KEY` as a binary file. Raises FileNotFoundError and PermissionError as a local file would.

    `where` is what messages call the object: not by its location, which may hold what nobody is to see. Raises
    InputError, beginning with `where`, for what the store refuses and for an object that changes while it is
    read, Unavailable where the store is out of reach or cannot answer.
    """
    from aiohttp import ClientError as Broken
    from botocore.exceptions import BotoCoreError, ClientError, ParamValidationError

    try:
        with object_store.reached() as store, _opened(store, location, where) as file:
            yield file
    except (FileNotFoundError, PermissionError):
        raise
    except ParamValidationError:
        raise _refused(where, "it names no bucket that there could be") from None
    except RecursionError:  # botocore asks a store that answers 301 where the bucket is, for each such answer
        raise _refused(where, "it only sends us elsewhere") from None
    except (BotoCoreError, Broken, ConnectionError, TimeoutError) as error:
        # Its text holds the URL, and so what variables of the location stand for.
        raise Unavailable(f"{where} cannot be reached ({type(error).__name__}); check AWS_* and the network") from None
    except (ClientError, OSError) as error:
        failure = _failure(error, where)
        if failure is None:
            raise
        raise failure from None


def _opened(store: Any, location: str, where: str) -> Any:
    try:
        return store.open(location, "rb", block_size=BLOCK, cache_type="readahead")
    except KeyError:  # of an answer without a length
        raise _refused(where, "it does not say how long the object is") from None
    except ValueError:  # of a bucket without a key
        raise InputError(f"{where} names no object; expected s3://BUCKET/KEY") from None


def _failure(error: Exception, where: str) -> HallmarkError | None:
    """What an error says of the object; None where no answer of the store is behind it."""
    answer = _answer(error)
    if answer is None:
        return None
    status = answer.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
    if status in REPLACED:
        return InputError(f"{where} changed while it was read; resolve again")
    said = f"the store answers {status} ({answer.get('Error', {}).get('Code', 'no code')})"
    if 300 <= status < 500 and status not in AGAIN:
        return _refused(where, said)
    return Unavailable(f"{where} cannot be read now: {said}; try again later")


def _answer(error: BaseException | None) -> dict[str, Any] | None:
    """The store's answer, as botocore has it, that an error of s3fs was made of."""
    while error is not None:
        answer = getattr(error, "response", None)
        if isinstance(answer, dict):
            return answer
        error = error.__cause__
    return None


def _refused(where: str, why: str) -> InputError:
    return InputError(f"{where} is refused by the store ({why}); correct its location in sources.yaml, or AWS_*")
