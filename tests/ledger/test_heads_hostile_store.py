"""A place of heads in a store that does not answer as S3 does: it stops neither the other places nor a command."""

import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from tasks.core import object_store
from tasks.core.errors import Unavailable
from tasks.ledger.heads import publication
from tasks.ledger.heads.places.s3 import S3Place
from tests.governed.house import House
from tests.ledger.publishing import append, published, verified
from tests.object_store import point_at

PLACE = "s3://heads/p"
HEAD = "<Key>p/000000000999.json</Key>"
ODD_LISTS = {
    "no size": f"<Contents>{HEAD}</Contents>",
    "a word for a size": f"<Contents>{HEAD}<Size>many</Size></Contents>",
    "no key": "<Contents><Size>9</Size></Contents>",
    "a word for a date": f"<Contents>{HEAD}<Size>9</Size><LastModified>x</LastModified></Contents>",
}


@dataclass
class Store:
    """A store on loopback that answers as the test says, and keeps nothing."""

    listing: Callable[[], str] = lambda: ""
    """The inside of an answer to ListObjectsV2."""
    get: tuple[int, bytes, dict[str, str]] = (404, b"<Error><Code>NoSuchKey</Code></Error>", {})
    """Status, body and headers of an answer to GetObject."""
    requests: list[str] = field(default_factory=list)


@pytest.fixture
def store(monkeypatch: pytest.MonkeyPatch) -> Iterator[Store]:
    answers = Store()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            answers.requests.append(self.path)
            if "list-type" in self.path:
                self._answer(200, f"<ListBucketResult>{answers.listing()}</ListBucketResult>".encode(), {})
            else:
                self._answer(*answers.get)

        def do_HEAD(self) -> None:
            self._answer(404, b"", {})

        def do_PUT(self) -> None:
            self.rfile.read(int(self.headers["Content-Length"]))
            self._answer(200, b"", {"ETag": '"a"'})

        def _answer(self, status: int, body: bytes, headers: dict[str, str]) -> None:
            self.send_response(status)
            for name, value in {"Content-Length": str(len(body)), **headers}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None: ...

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    point_at(f"http://127.0.0.1:{server.server_port}", monkeypatch, AWS_MAX_ATTEMPTS="1")
    yield answers
    server.shutdown()
    server.server_close()


@pytest.mark.parametrize("what", ODD_LISTS)
def test_an_odd_list_stops_no_other_place(
    house: House, store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, what: str
) -> None:
    store.listing = lambda: ODD_LISTS[what]
    monkeypatch.setenv(publication.PLACES_VARIABLE, f"{PLACE} {tmp_path / 'other'}")
    append(house, 3)
    (told,) = published(house).unavailable
    assert f"{PLACE} cannot be used (an answer of the store cannot be read" in told
    assert len(list((tmp_path / "other").glob("*.json"))) == 1
    assert verified(house).verdict == "incomplete"


@pytest.mark.parametrize("limit", ["MAX_LISTED_PAGES", "MAX_LISTED_OBJECTS", "MAX_LISTING_SECONDS"])
def test_a_list_without_an_end_is_left(store: Store, monkeypatch: pytest.MonkeyPatch, limit: str) -> None:
    def endless() -> str:
        at = len(store.requests)
        assert at < 1_000, "the list is read on and on"
        more = f"<IsTruncated>true</IsTruncated><NextContinuationToken>{at}</NextContinuationToken>"
        return f"{more}<Contents><Key>p/{at}</Key><Size>9</Size></Contents>"

    store.listing = endless
    monkeypatch.setattr(object_store, limit, 0.3 if limit == "MAX_LISTING_SECONDS" else 20)
    with pytest.raises(Unavailable, match="does not end"):
        S3Place(PLACE).sizes()


def test_a_head_with_an_odd_date_is_unavailable(store: Store) -> None:
    store.listing = lambda: f"<Contents>{HEAD}<Size>9</Size></Contents>"
    store.get = (206, b"123456789", {"Last-Modified": "garbage", "Content-Range": "bytes 0-8/9"})
    with pytest.raises(Unavailable, match="cannot be read"):
        S3Place(PLACE).read({999})


def test_a_head_that_is_removed_after_the_list_is_left_out(store: Store) -> None:
    store.listing = lambda: f"<Contents>{HEAD}<Size>9</Size></Contents>"
    assert S3Place(PLACE).sizes() == {999}
    assert S3Place(PLACE).read({999}) == {}


def test_a_place_that_does_not_keep_a_head_has_no_other_one(
    house: House, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(publication.PLACES_VARIABLE, PLACE)
    append(house, 3)
    (told,) = published(house).unavailable
    assert f"{PLACE} lacks the head of 3 entries" in told and "go there the next time" in told
