"""Heads in a real S3-compatible store, reached by AWS_* settings alone."""

import shutil

import pytest
import s3fs

from tasks.core.errors import Refused
from tasks.ledger.heads import publication
from tests.governed.house import House
from tests.ledger.publishing import append, edit, published, said, verified
from tests.object_store import in_bucket, nobody

pytestmark = [pytest.mark.s3, pytest.mark.slow]


@pytest.fixture
def bucket(object_store: str, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> str:
    """The place of a test: a prefix of its own that does not exist yet."""
    in_bucket(object_store, "heads", monkeypatch)
    place = f"s3://heads/{request.node.name}"
    monkeypatch.setenv(publication.PLACES_VARIABLE, place)
    return place


def test_heads_are_objects_and_hold_the_ledger(house: House, bucket: str) -> None:
    for count in (3, 2):
        append(house, count)
        assert published(house).delivered == {bucket: 1}
    assert published(house).delivered == {bucket: 0}
    shutil.rmtree(house.state / "heads")
    assert verified(house).anchored == 5 and "2 signed heads in s3://heads" in said(house, "holds")
    edit(house, "UPDATE hallmark_ledger SET body = '{}' WHERE seq = 2")
    assert "entries 1 to 3 are not those" in said(house, "wrong")
    with pytest.raises(Refused, match="was rewritten"):
        published(house)


def test_an_object_is_never_written_over(house: House, bucket: str) -> None:
    append(house, 1)
    files = s3fs.S3FileSystem(skip_instance_cache=True)
    key = f"{bucket}/000000000001.json"
    files.pipe(key, b"something")
    with pytest.raises(Refused, match="no signed statement can be read"):
        published(house)
    assert files.cat(key) == b"something"


def test_a_store_that_is_away_gets_its_heads_later(
    house: House, bucket: str, object_store: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    append(house, 1)
    with nobody() as nowhere:
        monkeypatch.setenv("AWS_ENDPOINT_URL", nowhere)
        assert bucket in published(house).unavailable[0]
    assert verified(house).verdict == "incomplete"
    monkeypatch.setenv("AWS_ENDPOINT_URL", object_store)
    assert published(house).delivered == {bucket: 1} and verified(house).verdict == "holds"


@pytest.mark.parametrize("place", ["s3://no-such-bucket/heads", "s3://no-such-bucket"])
def test_a_bucket_that_is_not_there_is_away(
    house: House, bucket: str, place: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(publication.PLACES_VARIABLE, place)
    append(house, 1)
    assert "there is no such bucket" in published(house).unavailable[0]


def test_a_wrong_key_is_said(house: House, bucket: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "wrong")
    append(house, 1)
    (told,) = published(house).unavailable
    assert bucket in told and "cannot be used" in told
