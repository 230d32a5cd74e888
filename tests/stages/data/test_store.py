"""What a store answers when it is overloaded, broken or refuses: a real server on loopback that says so."""

import threading
import traceback
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from tasks.core.errors import HallmarkError, InputError, Unavailable
from tasks.runs.requests.source_resolution import resolve_source
from tasks.stages.data.ingest import ingest
from tests.object_store import point_at
from tests.stages.data.build import Run, messages, params, source, table

OBJECT = table(messages(10))
PLACE = "s3://bucket-of-secrets/data.csv"


@dataclass
class Answers:
    """What a server says to each method: a status, and an error's code."""

    to: dict[str, tuple[int, str]] = field(default_factory=dict)
    cut: bool = False
    """It hangs up in the middle of the object."""
    elsewhere: str = ""
    """The address it sends the caller to."""
    lengths: bool = True
    """It says how long its answers are."""
    asked: list[str] = field(default_factory=list)
    """The paths that were asked for."""


@pytest.fixture
def store(monkeypatch: pytest.MonkeyPatch) -> Iterator[Answers]:
    """One object, in a store that answers as the test says. One try for each request, so that nobody waits."""
    answers = Answers()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_HEAD(self) -> None:
            self._answer(b"")

        def do_GET(self) -> None:
            self._answer(OBJECT[: len(OBJECT) // 2] if answers.cut else OBJECT)
            self.close_connection = True

        def _answer(self, body: bytes) -> None:
            status, code = answers.to.get(self.command, (200, ""))
            length = len(OBJECT)
            if code and self.command == "GET":
                body = f"<Error><Code>{code}</Code><Message>as the test says</Message></Error>".encode()
                length = len(body)
            answers.asked.append(self.path)
            self.send_response(status)
            if answers.elsewhere:
                self.send_header("Location", answers.elsewhere)
            if answers.lengths:
                self.send_header("Content-Length", str(length if status == 200 or body else 0))
            else:
                self.close_connection = True
            self.send_header("ETag", '"first"')
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None: ...

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    point_at(f"http://127.0.0.1:{server.server_port}", monkeypatch, AWS_MAX_ATTEMPTS="1")
    yield answers
    server.shutdown()
    server.server_close()


def refused(run: Run, place: str = PLACE) -> HallmarkError:
    """The error, which names the location as sources.yaml has it and never what its variable stands for."""
    with pytest.MonkeyPatch.context() as patch, pytest.raises(HallmarkError) as caught:
        patch.setenv("PLACE", place)
        resolve_source(source("${PLACE}"), run.root)
    assert str(caught.value).startswith("source src: ${PLACE} ")
    told = "".join(traceback.format_exception(caught.value))
    bucket, _, key = place.removeprefix("s3://").partition("/")
    assert not [part for part in (bucket, key) if part and part in told]
    return caught.value


def test_what_the_server_holds_is_read(run: Run, store: Answers) -> None:
    run.resolve(source(PLACE))
    assert ingest.run(params(), run.layout).counts.records == 10


@pytest.mark.parametrize(
    ("status", "code"),
    [
        (503, "SlowDown"),
        (503, "ServiceUnavailable"),
        (500, "InternalError"),
        (507, "NobodyKnowsThisOne"),
        (501, "NotImplemented"),
        (409, "OperationAborted"),
        (429, "TooManyRequests"),
    ],
)
@pytest.mark.parametrize("method", ["HEAD", "GET"])
def test_a_store_that_cannot_answer_is_unavailable(
    run: Run, store: Answers, method: str, status: int, code: str
) -> None:
    store.to[method] = (status, code)
    error = refused(run)
    assert isinstance(error, Unavailable)
    assert f"the store answers {status} ({code if method == 'GET' else status}); try again later" in str(error)


@pytest.mark.parametrize(("status", "code"), [(400, "InvalidRequest"), (403, "NobodyKnowsThisOne"), (418, "Teapot")])
def test_what_a_store_refuses_is_an_input_error(run: Run, store: Answers, status: int, code: str) -> None:
    store.to["GET"] = (status, code)
    error = refused(run)
    assert isinstance(error, InputError) and "is refused by the store" in str(error)


@pytest.mark.parametrize("code", ["<a/>", "</Code><Code>"])
@pytest.mark.parametrize("status", [400, 503])
def test_an_odd_error_of_a_store_is_told(run: Run, store: Answers, status: int, code: str) -> None:
    store.to["GET"] = (status, code)
    assert isinstance(refused(run), (InputError, Unavailable))


def test_only_an_object_that_is_another_by_now_has_changed(run: Run, store: Answers) -> None:
    store.to["GET"] = (412, "PreconditionFailed")
    error = refused(run)
    assert isinstance(error, InputError) and "changed while it was read" in str(error)


def test_an_overloaded_store_ends_ingest_with_nothing_written(run: Run, store: Answers) -> None:
    run.resolve(source(PLACE))
    store.to["GET"] = (503, "ServiceUnavailable")
    with pytest.raises(Unavailable, match="the store answers 503"):
        ingest.run(params(), run.layout)
    assert not run.layout.artefacts("ingest").exists()


@pytest.mark.attack(rights="approver", stopped="a store sends whoever reads a source to no other address")
@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
@pytest.mark.parametrize("method", ["HEAD", "GET"])
def test_no_store_sends_its_reader_elsewhere(run: Run, store: Answers, method: str, status: int) -> None:
    store.to[method] = (status, "Moved")
    store.elsewhere = "/elsewhere/secret"
    assert isinstance(refused(run), HallmarkError)
    assert store.asked and not [path for path in store.asked if "elsewhere" in path]


def test_a_store_that_does_not_say_how_long_an_object_is_is_refused(run: Run, store: Answers) -> None:
    store.lengths = False
    assert isinstance(refused(run), HallmarkError)


def test_a_store_that_hangs_up_is_unavailable(run: Run, store: Answers) -> None:
    store.cut = True
    error = refused(run)
    assert isinstance(error, Unavailable) and "cannot be reached" in str(error)


@pytest.mark.parametrize("place", ["s3://Bad_Bucket!/data.csv", "s3://bucket-only", "s3://bucket-only/", "s3://"])
def test_a_place_that_no_store_has_is_an_input_error(run: Run, store: Answers, place: str) -> None:
    assert isinstance(refused(run, place), InputError)
