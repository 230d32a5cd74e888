"""Settings of uvicorn, and time limits of connections, so that silent, slow or idle clients do not block others.

uvicorn counts connections, and refuses requests once there are `limit_concurrency` of them. It waits for a request
without a time limit, so two hundred silent connections would block it. In this module, a connection is closed if it
does not send a complete request in time. If too many connections wait without a request, the oldest of them is closed.
"""

import asyncio
from typing import Any

import uvicorn
from fastapi import FastAPI
from uvicorn.protocols.http.h11_impl import H11Protocol

REQUEST_TIMEOUT_SECONDS = 10
"""Seconds in which a complete request must arrive, counted from its first byte or from the start of a new
connection."""
MAX_WAITING_CONNECTIONS = 100
"""Maximum number of connections without a complete request. A browser opens six."""
MAX_CONNECTIONS = 200
"""Maximum number of open connections and of requests in progress (uvicorn's `limit_concurrency`)."""
KEEP_ALIVE_SECONDS = 15


class LimitedConnection(H11Protocol):
    """HTTP connection that is closed if a request does not arrive within a time limit."""

    _waiting_since: float | None = None
    """Time since which the connection waits for a complete request, in seconds of the event loop; None while the
    console responds."""
    _request_timer: asyncio.TimerHandle | None = None
    """Timer that closes the connection if its request does not arrive in time. It is None while the connection is idle
    after a response, because KEEP_ALIVE_SECONDS then applies instead."""

    def connection_made(self, transport: Any) -> None:
        super().connection_made(transport)
        self._expect_request()

    def data_received(self, data: bytes) -> None:
        if (
            self._waiting_since is not None and self._request_timer is None
        ):  # next request of a connection that stayed open
            self._expect_request()
        super().data_received(data)
        if self._has_unanswered_request():
            self._stop_waiting()

    def on_response_complete(self) -> None:
        super().on_response_complete()
        if not self._has_unanswered_request():
            self._start_waiting()

    def connection_lost(self, exc: Exception | None) -> None:
        self._stop_waiting()
        super().connection_lost(exc)

    def _has_unanswered_request(self) -> bool:
        return self.cycle is not None and not self.cycle.more_body and not self.cycle.response_complete

    def _expect_request(self) -> None:
        self._request_timer = self.loop.call_later(REQUEST_TIMEOUT_SECONDS, self._abort_connection)
        self._start_waiting()

    def _start_waiting(self) -> None:
        """Start to wait for a request. If too many connections wait, close the one that has waited longest."""
        self._waiting_since = self.loop.time()
        waiting = [
            each for each in self.connections if isinstance(each, LimitedConnection) and each._waiting_since is not None
        ]
        if len(waiting) > MAX_WAITING_CONNECTIONS:
            min(waiting, key=lambda each: each._waiting_since or 0.0)._abort_connection()

    def _stop_waiting(self) -> None:
        self._waiting_since = None
        if self._request_timer is not None:
            self._request_timer.cancel()
            self._request_timer = None

    def _abort_connection(self) -> None:
        self._stop_waiting()
        self.transport.abort()


def uvicorn_config(app: FastAPI, port: int, behind_proxy: bool) -> uvicorn.Config:
    """Return uvicorn's settings for a server on loopback.

    `behind_proxy` says whether a proxy forwards requests to the server. A proxy is needed for TLS and for access from
    other machines.
    """
    return uvicorn.Config(
        app, host="127.0.0.1", port=port, log_level="warning", log_config=None, access_log=False,
        server_header=False,
        http=LimitedConnection,
        ws="none", proxy_headers=behind_proxy, forwarded_allow_ips="127.0.0.1", limit_concurrency=MAX_CONNECTIONS,
        timeout_keep_alive=KEEP_ALIVE_SECONDS,
    )  # fmt: skip
