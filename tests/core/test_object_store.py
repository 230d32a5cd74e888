"""Locations in an object store."""

import pytest

from tasks.core.object_store import parse_location


@pytest.mark.parametrize(
    ("location", "bucket", "key"),
    [
        ("s3://sources/a/b.csv", "sources", "a/b.csv"),
        ("s3://sources", "sources", ""),
        ("s3://", "", ""),
        ("s3://arn:aws:s3:eu-west-1:1:accesspoint/rows/a/b.csv", "arn:aws:s3:eu-west-1:1:accesspoint/rows", "a/b.csv"),
    ],
)
def test_a_location_has_a_bucket_and_a_key(location: str, bucket: str, key: str) -> None:
    assert parse_location(location) == (bucket, key)
