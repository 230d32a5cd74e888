"""Access to an object store, S3 or a compatible one, with the usual AWS_* environment variables.

The client is botocore's, from which boto3 is made. With boto3 itself installed, securesystemslib loads it in every
command, which takes half a second.
"""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple

LOCATION = re.compile(r"s3://(arn:[^/]*/[^/]+|[^/]*)/?(.*)", re.DOTALL)
"""Pattern of an S3 location: the bucket, or an access point by its ARN, and the key."""
MISSING = ("404", "NoSuchBucket", "NoSuchKey", "NoSuchUpload")
FORBIDDEN = (
    "403", "AccessDenied", "AccountProblem", "AllAccessDisabled", "ExpiredToken", "InvalidAccessKeyId",
    "InvalidObjectState", "InvalidPayer", "InvalidSecurity", "InvalidToken", "NotSignedUp", "RequestTimeTooSkewed",
    "SignatureDoesNotMatch",
)  # fmt: skip


class Location(NamedTuple):
    bucket: str
    key: str


class InvalidEndpoint(ValueError):
    pass


def parse_location(location: str) -> Location:
    matched = LOCATION.fullmatch(location)
    assert matched, f"{location} is no location in an object store"
    return Location(*matched.groups())


@contextmanager
def opened(**settings: Any) -> Iterator[Any]:
    """Yield botocore's client of the object store, and close its connections at the end of the block.

    The client does not follow HTTP redirects (botocore, `URLLib3Session.send`).

    Args:
        **settings: Arguments of botocore's `Config`.

    Raises:
        FileNotFoundError: There is no such bucket or object.
        PermissionError: The store refuses the credentials.
        InvalidEndpoint: AWS_ENDPOINT_URL is no URL.
    """
    from botocore.config import Config
    from botocore.exceptions import ClientError
    from botocore.session import Session
    from s3transfer.exceptions import RetriesExceededError

    try:
        client = Session().create_client("s3", config=Config(**settings))
    except ValueError as error:
        raise InvalidEndpoint(str(error)) from None
    try:
        yield client
    except RetriesExceededError as error:  # hides the error of the last attempt to download
        raise error.last_exception from None
    except ClientError as error:
        code = error.response["Error"].get("Code", "")
        if code in MISSING:
            raise FileNotFoundError(str(error)) from error
        if code in FORBIDDEN:
            raise PermissionError(str(error)) from error
        raise
    finally:
        client.close()


def exists(client: Any, bucket: str, key: str) -> bool:
    from botocore.exceptions import ClientError

    try:
        client.head_object(Bucket=bucket, Key=key)
    except ClientError as error:
        if error.response["Error"].get("Code") in MISSING:
            return False
        raise
    return True


def list_objects(client: Any, bucket: str, prefix: str, **options: str) -> Iterator[dict[str, Any]]:
    """Yield each object whose key begins with `prefix`, with its Key and Size.

    Args:
        client: Client from `opened`.
        bucket: Name of the bucket.
        prefix: Beginning of the keys.
        **options: Parameters of the request ListObjectsV2.
    """
    for page in client.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix, **options):
        yield from page.get("Contents", [])
