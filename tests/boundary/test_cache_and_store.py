"""What is kept between runs, changed by somebody who may write there alone, and stores that answer falsely."""

import json
import os
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import FrameType

import pytest

from tasks.core.errors import HallmarkError, Refused
from tasks.core.files import sha256_bytes
from tasks.core.json_text import canonical_json
from tasks.core.layout import Layout
from tasks.ledger import head_files
from tasks.ledger.heads import heads
from tasks.runs.requests.source_resolution import resolve_source
from tasks.supervise import record_store
from tasks.trust import dsse, keys, stage_record
from tasks.trust.stage_record import StageEnvironment, StageRecord
from tests.answering import Quiet, serving
from tests.boundary.stage_of import a_run, sparse
from tests.patience import patience
from tests.soaking import soak
from tests.stages.data.build import source

Plant = Callable[[Path], object]
READ = {"tasks": "a" * 64, "params.yaml#data": "b" * 64}


class WaitsForEver(BaseException):
    """No error that anything on the way would take for one of its own."""


@contextmanager
def at_most(seconds: float) -> Iterator[None]:
    def late(_: int, __: FrameType | None) -> None:
        raise WaitsForEver

    before = signal.signal(signal.SIGALRM, late)
    signal.alarm(int(patience(seconds)) + 1)
    try:
        yield
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)


def record_of(layout: Layout) -> Path:
    """The place of the record of a stage `clean` that read READ."""
    return layout.state / "records" / f"{stage_record.inputs_digest('clean', READ)}.json"


ODD: dict[str, Plant] = {
    "lists in lists": lambda path: path.write_text("[" * 200_000),
    "objects in objects": lambda path: path.write_text('{"a":' * 200_000),
    "a pipe": os.mkfifo,
    "a folder": lambda path: path.mkdir(),
    "a link to itself": lambda path: path.symlink_to(path),
    "a link to what never ends": lambda path: path.symlink_to("/dev/zero"),
    "a list": lambda path: path.write_text("[1]"),
    "no text": lambda path: path.write_bytes(b"\xff\xfe"),
    "endless digits": lambda path: path.write_text("1" * 100_000),
    "terabytes of nothing": sparse,
    "nothing": lambda path: path.touch(),
}


@pytest.mark.attack(rights="disk", stopped="a record that cannot be read is none")
@pytest.mark.parametrize("what", list(ODD))
def test_a_record_that_is_something_else_is_none(tmp_path: Path, what: str) -> None:
    layout = a_run(tmp_path)
    path = record_of(layout)
    ODD[what](path)
    with at_most(10):
        assert record_store.find_record(layout, "clean", READ, ["ssh-ed25519 AAAA"], needs_sandbox=True) is None


def signed(layout: Layout, **more: object) -> tuple[str, dict[str, object]]:
    """The worker's line, and an envelope of a stage `clean` that read READ."""
    said = {
        "name": "clean",
        "command": ["python"],
        "materials": stage_record.make_materials(READ),
        "environment": StageEnvironment(run="r0", sandbox="bubblewrap", network=False, platform="p", packages="c" * 64),
        "tree_sha256": "d" * 64,
    }
    signer = keys.make_signer(keys.load_private_key(layout.state / "keys" / "worker"))
    line = (layout.state / "keys" / "worker.pub").read_text()
    return line, stage_record.sign_record(
        StageRecord.model_validate(said | more), {"artefacts/clean/x": "e" * 64}, signer
    )


CHANGES: dict[str, Callable[[dict[str, object]], object]] = {
    "another spelling": lambda envelope: json.dumps(envelope, indent=1),
    "a second signature": lambda it: canonical_json(it | {"signatures": [*it["signatures"], *it["signatures"]]}),  # type: ignore[misc]
    "no signature": lambda it: canonical_json(it | {"signatures": []}),
    "another type": lambda it: canonical_json(it | {"payloadType": "text/plain"}),
    "more beside it": lambda it: canonical_json(it | {"note": "as good"}),
    "two documents": lambda it: canonical_json(it) * 2,
    "a field twice": lambda it: canonical_json(it)[:-1] + b',"payload":"e30="}',
}


@pytest.mark.attack(rights="disk", stopped="a record has one spelling, which the worker signed")
@pytest.mark.parametrize("how", list(CHANGES))
def test_a_record_that_is_written_otherwise_is_none(tmp_path: Path, how: str) -> None:
    layout = a_run(tmp_path)
    line, envelope = signed(layout)
    path = record_of(layout)
    path.write_bytes(canonical_json(envelope))
    assert record_store.find_record(layout, "clean", READ, [line], needs_sandbox=True) is not None, (
        "as it was signed it is one"
    )
    text = CHANGES[how](envelope)
    path.write_bytes(text if isinstance(text, bytes) else str(text).encode())
    assert record_store.find_record(layout, "clean", READ, [line], needs_sandbox=True) is None


@pytest.mark.attack(rights="disk", stopped="a record is of the work that it names, whatever its file is called")
@pytest.mark.parametrize(
    "other", [{"name": "split"}, {"materials": stage_record.make_materials({"tasks": "f" * 64})}, {"no": "key"}]
)
def test_the_record_of_other_work_in_its_place_is_none(tmp_path: Path, other: dict[str, object]) -> None:
    layout = a_run(tmp_path)
    line, envelope = signed(layout) if "no" in other else signed(layout, **other)
    path = record_of(layout)
    path.write_bytes(canonical_json(envelope))
    counts = [] if "no" in other else [line]
    assert record_store.find_record(layout, "clean", READ, counts, needs_sandbox=True) is None


@pytest.mark.attack(rights="disk", stopped="what a lock of DVC's says is read where it can be, and signed by nobody")
@pytest.mark.parametrize("what", [name for name in ODD if name in ("a list", "no text", "nothing")])
def test_a_lock_that_is_something_else_is_none(tmp_path: Path, what: str) -> None:
    layout = a_run(tmp_path)
    line, envelope = signed(layout)
    record = stage_record.verify_executed_record(envelope, [line])
    ODD[what](layout.state / "records" / f"{record.sha256}.lock.json")
    assert record_store.read_lock_entry(layout, record) is None


HEADS = {
    "lists in lists": b"[" * 200_000,
    "objects in objects": b'{"a":' * 200_000,
    "no text": b"\xff\xfe",
    "nothing": b"",
    "a list": b"[]",
    "no envelope": b"{}",
    "endless digits": b"1" * 100_000,
    "a page of a store's": b"<Error><Code>AccessDenied</Code></Error>",
    "another document": canonical_json({"payload": "e30=", "payloadType": dsse.PAYLOAD_TYPE, "signatures": []}),
}


@pytest.mark.attack(rights="disk", stopped="a head that is none of the ledger's key is told, and compared with nothing")
@pytest.mark.parametrize("what", list(HEADS))
def test_an_object_in_place_of_a_head_is_refused(what: str) -> None:
    with pytest.raises(Refused):
        heads.parse_head(HEADS[what], [])


@pytest.mark.attack(rights="disk", stopped="a head's file is named for its size alone")
@pytest.mark.parametrize(
    "name", ["../000000000019.json", "000000000019.json\n", "-00000000019.json", "19.json", "٠٠٠٠٠٠٠٠٠٠١٩.json ",
             "000000000019.json.bak", "000000000019.JSON", "1e12.json", "000000000019.json/"]
)  # fmt: skip
def test_a_name_in_a_store_that_is_no_heads_is_passed_over(name: str) -> None:
    assert head_files.parse_tree_size(name) is None


OBJECT = b"text,label\n" + b"a,b\n" * 20


@dataclass
class Answers:
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes = OBJECT
    asked: list[str] = field(default_factory=list)


@pytest.fixture(scope="module")
def server() -> Iterator[tuple[Answers, str]]:
    answers = Answers()

    class Handler(Quiet, BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            answers.asked.append(self.path)
            self.send_response(answers.status)
            for name, value in ({"Content-Length": str(len(answers.body)), "ETag": '"x"'} | answers.headers).items():
                self.send_header(name, value)
            self.end_headers()
            self.close_connection = True
            if self.command == "GET":
                self.wfile.write(answers.body)

        def do_HEAD(self) -> None:
            self.do_GET()

    with serving(ThreadingHTTPServer(("127.0.0.1", 0), Handler)) as found:
        yield answers, f"http://127.0.0.1:{found.server_port}"


FALSE = {
    "another region": Answers(301, {"x-amz-bucket-region": "elsewhere-1"}, b""),
    "a region that is a host": Answers(301, {"x-amz-bucket-region": "@127.0.0.1/"}, b""),
    "an endpoint of its own": Answers(
        301, {}, b"<Error><Code>PermanentRedirect</Code><Endpoint>127.0.0.1:1</Endpoint></Error>"
    ),
    "a file of this machine in an error": Answers(
        400, {}, b'<!DOCTYPE x [<!ENTITY a SYSTEM "file:///etc/passwd">]><Error><Code>&a;</Code></Error>'
    ),
    "entities of entities": Answers(
        400, {}, b'<!DOCTYPE x [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;">]><Error><Code>&b;</Code></Error>'
    ),
    "a date that is none": Answers(200, {"Last-Modified": "nonsense"}),
    "headers without end": Answers(200, {"x-amz-meta-a": "y" * 70_000}),
}


SELDOM = ("another region", "entities of entities")
"""Answers that only `make soak` tries."""


@pytest.mark.attack(rights="disk", stopped="what a store says beside an object's bytes leads nowhere")
@pytest.mark.parametrize("what", [case for name in FALSE for case in (soak([name]) if name in SELDOM else [name])])
def test_a_store_that_answers_falsely_is_told(
    server: tuple[Answers, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, what: str
) -> None:
    answers, url = server
    vars(answers).update(vars(FALSE[what]) | {"asked": []})
    settings = {"AWS_ENDPOINT_URL": url, "AWS_ACCESS_KEY_ID": "id", "AWS_SECRET_ACCESS_KEY": "secret",
                "AWS_DEFAULT_REGION": "us-east-1", "AWS_MAX_ATTEMPTS": "1"}  # fmt: skip
    for name, value in settings.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(HallmarkError, match=r"^source src: ") as told:
        resolve_source(source("s3://bucket/data.csv"), tmp_path)
    assert "root:" not in str(told.value) and set(answers.asked) <= {"/bucket/data.csv", "/bucket", "/bucket/"}


def test_the_object_itself_is_read(
    server: tuple[Answers, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """So that a refusal above is for what was false."""
    answers, url = server
    vars(answers).update(vars(Answers()))
    for name, value in {"AWS_ENDPOINT_URL": url, "AWS_ACCESS_KEY_ID": "id", "AWS_SECRET_ACCESS_KEY": "x"}.items():
        monkeypatch.setenv(name, value)
    assert resolve_source(source("s3://bucket/data.csv"), tmp_path).sha256 == sha256_bytes(OBJECT)
