"""Access to an object store, S3 or a compatible one, with the usual AWS_* environment variables.

The client is botocore, on which boto3 is based. boto3 is not used, because securesystemslib would load it in every
command if it were installed, which takes half a second.
"""

import re
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, NamedTuple

from tasks.core.errors import DOCUMENT_ERRORS

if TYPE_CHECKING:
    from botocore.exceptions import ClientError

LOCATION_PATTERN = re.compile(r"s3://(arn:[^/]*/[^/]+|[^/]*)/?(.*)", re.DOTALL)
"""Pattern of an S3 location: the bucket, or the ARN of an access point, and the key."""
MISSING_OBJECT_CODES = ("404", "NoSuchKey")
MISSING_CODES = (*MISSING_OBJECT_CODES, "NoSuchBucket", "NoSuchUpload")
FORBIDDEN_CODES = (
    "403", "AccessDenied", "AccountProblem", "AllAccessDisabled", "ExpiredToken", "InvalidAccessKeyId",
    "InvalidObjectState", "InvalidPayer", "InvalidSecurity", "InvalidToken", "NotSignedUp", "RequestTimeTooSkewed",
    "SignatureDoesNotMatch",
)  # fmt: skip
MAX_LISTED_PAGES = 2_000
MAX_LISTED_OBJECTS = 1_000_000
MAX_LISTING_SECONDS = 120.0
"""Maximum number of seconds for listing objects. Without limits on time, pages and objects, a store could send an
endless list. A page of S3 has up to 1,000 objects."""


class ObjectLocation(NamedTuple):
    bucket: str
    key: str


class ListedObject(NamedTuple):
    key: str
    size: int
    """Size of the object in bytes."""


class InvalidEndpoint(ValueError):
    pass


class UnreadableAnswer(OSError):
    """Error for a response that does not conform to the S3 protocol."""


def parse_location(location: str) -> ObjectLocation:
    matched = LOCATION_PATTERN.fullmatch(location)
    assert matched, f"{location} is no location in an object store"
    return ObjectLocation(*matched.groups())


@contextmanager
def open_client(**settings: Any) -> Iterator[Any]:
    """Open a botocore client for the object store, and close its connections at the end of the block.

    The client does not follow HTTP redirects (botocore, `URLLib3Session.send`).

    Args:
        **settings: Arguments of botocore's `Config`.

    Raises:
        FileNotFoundError: The bucket or object does not exist.
        PermissionError: The store refuses the credentials.
        InvalidEndpoint: AWS_ENDPOINT_URL is not a URL.
        UnreadableAnswer: A response of the store is malformed.
    """
    from botocore.config import Config
    from botocore.exceptions import ClientError
    from botocore.session import Session
    from s3transfer.exceptions import RetriesExceededError

    try:
        client = Session().create_client("s3", config=Config(**settings))
    except ValueError as error:
        raise InvalidEndpoint(str(error)) from None
    _check_client_answers(client)
    try:
        yield client
    except RetriesExceededError as error:  # hides the error of the last attempt to download
        raise error.last_exception from None
    except ClientError as error:
        if error_code(error) in MISSING_CODES:
            raise FileNotFoundError(str(error)) from error
        if error_code(error) in FORBIDDEN_CODES:
            raise PermissionError(str(error)) from error
        raise
    finally:
        client.close()


@contextmanager
def translate_unreadable_answers() -> Iterator[None]:
    """Convert the errors that botocore and s3transfer raise for a malformed response to `UnreadableAnswer`."""
    from botocore.exceptions import BotoCoreError
    from botocore.parsers import ResponseParserError

    try:
        yield
    except BotoCoreError:  # some are ValueErrors too
        raise
    except (ResponseParserError, *DOCUMENT_ERRORS) as error:
        # a RecursionError: botocore asks where the bucket is after every answer 301, so a store can keep it asking
        raise UnreadableAnswer(f"an answer of the store cannot be read ({type(error).__name__})") from None


def _check_client_answers(client: Any) -> None:
    request = client._make_api_call

    def checked(operation: str, parameters: dict[str, Any]) -> Any:
        with translate_unreadable_answers():
            return request(operation, parameters)

    client._make_api_call = checked


def error_code(error: "ClientError") -> str:
    """Return the S3 error code of an error, for example `NoSuchKey`, or the HTTP status if the response has no code."""
    return str(error.response.get("Error", {}).get("Code", ""))


def object_exists(client: Any, bucket: str, key: str) -> bool:
    from botocore.exceptions import ClientError

    try:
        client.head_object(Bucket=bucket, Key=key)
    except ClientError as error:
        if error_code(error) in MISSING_CODES:
            return False
        raise
    return True


def list_objects(client: Any, bucket: str, prefix: str, **options: str) -> Iterator[ListedObject]:
    """Yield each object whose key begins with `prefix`.

    Args:
        client: Client of the object store.
        bucket: Name of the bucket.
        prefix: Beginning of the keys.
        **options: Parameters of the request ListObjectsV2.

    Raises:
        UnreadableAnswer: An object has no key or size, or the list exceeds a limit.
    """
    count, end = 0, time.monotonic() + MAX_LISTING_SECONDS
    pages = client.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix, **options)
    for number, page in enumerate(pages, start=1):
        with translate_unreadable_answers():
            found = [ListedObject(each["Key"], each["Size"]) for each in page.get("Contents", [])]
        count += len(found)
        if number > MAX_LISTED_PAGES or count > MAX_LISTED_OBJECTS or time.monotonic() > end:
            raise UnreadableAnswer(
                f"the list of s3://{bucket}/{prefix} does not end: after {number:,} pages it has {count:,} objects"
            )
        yield from found
