"""Connections that say nothing, or little, keep nobody out."""

import asyncio
import http.client
import socket
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from threading import Event

import pytest
from fastapi import FastAPI
from starlette.requests import ClientDisconnect, Request

from infra.http import connections
from infra.http.connections import MAX_CONNECTIONS, MAX_WAITING_CONNECTIONS, LimitedConnection
from tests.console.servers import free_port, served
from tests.patience import patience

app = FastAPI()


@app.get("/health")
def health() -> str:
    return "up"


BEGUN = Event()
"""Set once the server has read a request for /slow."""


@app.get("/slow")
async def slow() -> str:
    BEGUN.set()
    await asyncio.sleep(0.5)
    return "at last"


@app.post("/body")
async def body(request: Request) -> int:
    with suppress(ClientDisconnect):
        return len(await request.body())
    return -1


@pytest.fixture
def port() -> Iterator[int]:
    config = connections.uvicorn_config(app, free_port(), behind_proxy=False)
    with served(config):
        yield config.port


def answer(port: int, path: str = "/health") -> int:
    visit = http.client.HTTPConnection("127.0.0.1", port, timeout=patience(30))
    try:
        visit.request("GET", path)
        return visit.getresponse().status
    finally:
        visit.close()


def say(port: int, said: bytes) -> socket.socket:
    """A connection that says no more than this."""
    made = socket.create_connection(("127.0.0.1", port), timeout=patience(30))
    made.sendall(said)
    return made


SAID = {
    "nothing": b"",
    "half a head": b"GET /health HTTP/1.1\r\nHost: x\r\nX-Slow: ",
    "half a body": b"POST /body HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\nhalf",
}


@pytest.mark.attack(rights="visitor", stopped="of connections that owe a request the oldest goes")
@pytest.mark.parametrize("said", SAID)
def test_connections_that_owe_a_request_keep_nobody_out(port: int, said: str) -> None:
    with ExitStack() as held:
        for _ in range(MAX_CONNECTIONS + MAX_WAITING_CONNECTIONS):
            held.enter_context(say(port, SAID[said]))
        assert answer(port) == 200


@pytest.mark.attack(rights="visitor", stopped="connections that stay open after an answer give way")
def test_connections_that_stay_open_keep_nobody_out(port: int) -> None:
    with ExitStack() as held:
        for _ in range(MAX_CONNECTIONS + 1):
            each = held.enter_context(say(port, b"GET /health HTTP/1.1\r\nHost: x\r\n\r\n"))
            assert each.recv(12) == b"HTTP/1.1 200"
        assert answer(port) == 200


REST = {"nothing": b"GET /health HTTP/1.1\r\nHost: x\r\n\r\n", "half a head": b"x\r\n\r\n", "half a body": b"a body"}


@pytest.mark.parametrize("said", SAID)
def test_a_request_may_come_in_pieces(port: int, said: str) -> None:
    with say(port, SAID[said]) as waits:
        waits.sendall(REST[said])
        assert waits.recv(12) == b"HTTP/1.1 200"


@pytest.mark.parametrize("said", SAID)
def test_a_request_has_a_limit_of_time(port: int, said: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connections, "REQUEST_TIMEOUT_SECONDS", 1)
    with say(port, SAID[said]) as waits, suppress(ConnectionResetError):
        assert waits.recv(1) == b""


def test_who_is_answered_is_not_put_out(port: int) -> None:
    BEGUN.clear()
    with ExitStack() as held:
        asked = held.enter_context(say(port, b"GET /slow HTTP/1.1\r\nHost: x\r\n\r\n"))
        assert BEGUN.wait(patience(30))
        for _ in range(MAX_WAITING_CONNECTIONS + 50):
            held.enter_context(say(port, b""))
        assert asked.recv(12) == b"HTTP/1.1 200"


def test_a_connection_is_used_again(port: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """The time limit is cancelled as soon as a whole request has arrived. Several requests may arrive at once."""
    limits = list[asyncio.TimerHandle | None]()
    expect = LimitedConnection._expect_request
    monkeypatch.setattr(LimitedConnection, "_expect_request", lambda it: (expect(it), limits.append(it._request_timer)))
    visit = http.client.HTTPConnection("127.0.0.1", port, timeout=patience(30))
    for number in (1, 2, 3):
        visit.request("POST", "/body", body=b"x" * 100_000)
        assert visit.getresponse().read() == b"100000"
        assert [limit.cancelled() for limit in limits if limit] == [True] * number
    visit.close()
    with say(port, b"GET /slow HTTP/1.1\r\nHost: x\r\n\r\n" * 3) as several:
        received = b""
        while received.count(b"at last") < 3:
            received += several.recv(4096) or pytest.fail(f"closed after {received!r}")
