"""The log of a run, from what may be no Prefect server at all: it ends in words, and in time."""

import contextlib
import json
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from infra.prefect import http, logs, server
from infra.prefect.server import RunningPrefect
from infra.processes import Process
from tasks.core.errors import Unavailable
from tasks.ledger.ledger import Ledger, open_ledger
from tests.answering import Quiet, serving

FLOW_RUNS = [{"id": "11111111-1111-1111-1111-111111111111"}]
LINE = {"timestamp": "2026-03-02T03:00:00Z", "level": 20, "message": "hello"}


class Odd(ThreadingHTTPServer):
    """Answers every POST with what it is told to."""

    flow_runs: Any = FLOW_RUNS
    said: Any = [LINE]
    token: Any = {"token": "t"}
    seconds_a_byte = 0.0


class Handler(Quiet, BaseHTTPRequestHandler):
    server: Odd

    def do_GET(self) -> None:
        self._answer(self.server.token)

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["content-length"]))
        self._answer(self.server.flow_runs if self.path.endswith("/flow_runs/filter") else self.server.said)

    def _answer(self, said: Any) -> None:
        content = said if isinstance(said, bytes) else json.dumps(said).encode()
        self.send_response(200)
        self.send_header("content-length", str(len(content)))
        self.end_headers()
        size = 1 if self.server.seconds_a_byte else len(content)
        with contextlib.suppress(OSError):  # who asked has gone
            for place in range(0, len(content), size):
                self.wfile.write(content[place : place + size])
                self.wfile.flush()
                time.sleep(self.server.seconds_a_byte)


@pytest.fixture
def odd() -> Iterator[Odd]:
    with serving(Odd(("127.0.0.1", 0), Handler)) as made:
        yield made


@pytest.fixture
def asked(project: Path, odd: Odd, monkeypatch: pytest.MonkeyPatch) -> tuple[Path, Ledger]:
    up = RunningPrefect(api=f"http://127.0.0.1:{odd.server_port}/api", server=None, runner=Process(pid=1, started=0))
    monkeypatch.setattr(server, "find", lambda _: up)
    return project, open_ledger(project / ".hallmark")


def test_a_line_is_what_the_server_keeps(asked: tuple[Path, Ledger], odd: Odd) -> None:
    odd.said = [LINE | {"level": 77, "message": "x" * 10_000}] * 300
    lines = logs.read_log_lines(*asked, "one", [])
    assert len(lines) == logs.MAX_LINES and {(line.level, len(line.text)) for line in lines} == {
        ("other", logs.MAX_LINE_LENGTH)
    }


@pytest.mark.attack(rights="orchestrator", stopped="what is no answer of Prefect's is told, and shown by no page")
@pytest.mark.parametrize(
    ("what", "said"),
    [
        ("token", b"no JSON"), ("token", {}), ("token", {"token": 5}), ("token", {"token": "\n"}),
        ("flow_runs", b"no JSON"), ("flow_runs", {"a": 1}), ("flow_runs", 5), ("flow_runs", ["x"]),
        ("flow_runs", [{}]), ("said", None), ("said", [{}]), ("said", [LINE | {"level": []}]),
        ("said", [LINE | {"timestamp": "soon"}]), ("said", [LINE | {"timestamp": 1e18}]), ("said", b"[" * 100_000),
        ("said", b" " * (5 << 20)),
    ],
)  # fmt: skip
def test_what_is_no_answer_of_prefects_is_told(asked: tuple[Path, Ledger], odd: Odd, what: str, said: Any) -> None:
    setattr(odd, what, said)
    with pytest.raises(Unavailable, match=r"says something else than Prefect does|does not answer"):
        logs.read_log_lines(*asked, "one", [])


@pytest.mark.attack(rights="orchestrator", stopped="an answer that never ends is not waited for")
def test_an_answer_without_end_is_not_waited_for(
    asked: tuple[Path, Ledger], odd: Odd, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(http, "RESPONSE_TIMEOUT_SECONDS", 0.5)
    odd.seconds_a_byte = 0.1
    with pytest.raises(Unavailable):
        logs.read_log_lines(*asked, "one", [])
