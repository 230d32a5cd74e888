"""Sources in a real S3-compatible store, reached by AWS_* settings alone."""

import random
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING

import pytest

from tasks.core.errors import InputError, Unavailable
from tasks.core.files import sha256_bytes
from tasks.runs.requests.source_resolution import resolve_source
from tasks.sources.sources import Source
from tasks.stages.data.ingest import ingest
from tasks.stages.data.readers import content
from tasks.stages.data.readers import s3_objects as readers_store
from tests.object_store import in_bucket, nobody, point_at
from tests.stages.data.build import Run, messages, params, source, table

if TYPE_CHECKING:
    from s3fs import S3FileSystem

pytestmark = [pytest.mark.s3, pytest.mark.slow]
REQUEST = 1 << 18
"""Bytes of one read request in these tests, in place of 8 MiB."""


@pytest.fixture
def store(object_store: str, monkeypatch: pytest.MonkeyPatch) -> "S3FileSystem":
    monkeypatch.setattr(readers_store, "REQUEST_BYTES", REQUEST)
    return in_bucket(object_store, "sources", monkeypatch)


def test_a_source_in_s3_is_pinned_and_read(run: Run, store: "S3FileSystem") -> None:
    data = table(messages(100))
    store.pipe("sources/data.csv", data)
    pinned = resolve_source(source("s3://sources/data.csv"), run.root)
    assert (pinned.sha256, pinned.bytes) == (sha256_bytes(data), len(data))
    run.resolve(pinned.source)
    assert ingest.run(params(), run.layout).counts.records == 100


def test_an_object_of_many_blocks_is_pinned(run: Run, store: "S3FileSystem") -> None:
    data = random.Random(0).randbytes(3 * REQUEST + 3)
    store.pipe("sources/large.parquet", data)
    pinned = resolve_source(source("s3://sources/large.parquet", kind="parquet"), run.root)
    assert (pinned.sha256, pinned.bytes) == (sha256_bytes(data), len(data))


def test_an_object_that_changed_since_is_refused(run: Run, store: "S3FileSystem") -> None:
    store.pipe("sources/changing.csv", table(messages(10)))
    run.resolve(source("s3://sources/changing.csv"))
    store.pipe("sources/changing.csv", table(messages(11)))
    with pytest.raises(InputError, match="has changed since the run was resolved"):
        ingest.run(params(), run.layout)


@pytest.mark.parametrize("length", ["the same", "longer", "gone"])
def test_an_object_that_changes_while_it_is_read_is_refused(
    run: Run, store: "S3FileSystem", monkeypatch: pytest.MonkeyPatch, length: str
) -> None:
    monkeypatch.setattr(content, "BLOCK_BYTES", REQUEST)
    data = table([]) + b"message number,label\n" * (4 * REQUEST // 20)
    store.pipe("sources/moving.csv", data)
    run.resolve(source("s3://sources/moving.csv"))
    opened, unchanged = content.open_content, True

    @contextmanager
    def meddled(declared: Source, root: Path) -> Iterator[SimpleNamespace]:
        with opened(declared, root) as file:
            yield SimpleNamespace(read=lambda size: (file.read(size), change())[0])

    def change() -> None:
        nonlocal unchanged
        if not unchanged:
            return
        unchanged = False
        if length != "gone":
            store.pipe("sources/moving.csv", data.replace(b"message", b"MESSAGE") + b"x,y\n" * (length == "longer"))
        else:
            store.rm("sources/moving.csv")
            store.invalidate_cache()

    monkeypatch.setattr(content, "open_content", meddled)
    with pytest.raises(InputError, match=r"has changed since|changed while it was read|there is no s3://"):
        ingest.run(params(), run.layout)
    assert not run.layout.artefacts("ingest").exists()


@pytest.mark.parametrize("place", ["sources/nothing.csv", "no-such-bucket/data.csv"])
def test_an_object_that_is_not_there_is_an_input_error(run: Run, store: "S3FileSystem", place: str) -> None:
    with pytest.raises(InputError, match=f"source src: there is no s3://{place}"):
        resolve_source(source(f"s3://{place}"), run.root)


def test_a_wrong_key_is_said(run: Run, store: "S3FileSystem", monkeypatch: pytest.MonkeyPatch) -> None:
    store.pipe("sources/data.csv", table(messages(10)))
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "wrong")
    with pytest.raises(InputError, match=r"no permission to read s3://sources/data.csv"):
        resolve_source(source("s3://sources/data.csv"), run.root)


def test_a_store_that_is_away_is_unavailable(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    with nobody() as endpoint:
        point_at(endpoint, monkeypatch, AWS_MAX_ATTEMPTS="1")
        with pytest.raises(Unavailable, match=r"source src: s3://sources/data.csv cannot be reached"):
            resolve_source(source("s3://sources/data.csv"), run.root)
