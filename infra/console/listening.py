"""How the console listens: who says nothing, says it slowly, or stays for no reason keeps nobody else out.

uvicorn counts connections, and refuses requests once there are `limit_concurrency` of them. It waits for a request as
long as its sender likes, so two hundred connections that say nothing were all that it took. Here a connection that is
waited for has a limit of time, and where there are too many of them, the one that is waited for longest goes.
"""

import asyncio
from typing import Any

import uvicorn
from fastapi import FastAPI
from uvicorn.protocols.http.h11_impl import H11Protocol

SECONDS = 10
"""For the whole of a request, head and body, from when its connection was made or it began to come."""
WAITED_FOR = 100
"""Connections that are waited for at once; a browser has six."""
AT_ONCE = 200
"""Connections and requests altogether."""
KEPT = 15
"""Seconds for which a connection stays open after an answer."""


class Listening(H11Protocol):
    """One connection. It is waited for while it owes a request, or the rest of one."""

    _since: float | None = None
    """When the console began to wait for it, in the loop's seconds; None while it is answered."""
    _limit: asyncio.TimerHandle | None = None
    """Ends it where it sends less than a request; None for one that is open after an answer, which KEPT ends."""

    def connection_made(self, transport: Any) -> None:
        super().connection_made(transport)
        self._expect_request()

    def data_received(self, data: bytes) -> None:
        if self._since is not None and self._limit is None:  # the next request of a connection that stayed open
            self._expect_request()
        super().data_received(data)
        if self._is_due():
            self._stop_waiting()

    def on_response_complete(self) -> None:
        super().on_response_complete()
        if not self._is_due():
            self._wait()

    def connection_lost(self, exc: Exception | None) -> None:
        self._stop_waiting()
        super().connection_lost(exc)

    def _is_due(self) -> bool:
        """Whether a whole request is here that has not been answered."""
        return self.cycle is not None and not self.cycle.more_body and not self.cycle.response_complete

    def _expect_request(self) -> None:
        self._limit = self.loop.call_later(SECONDS, self._go)
        self._wait()

    def _wait(self) -> None:
        """Begin to wait, and let one go where there are too many."""
        self._since = self.loop.time()
        waiting = [each for each in self.connections if isinstance(each, Listening) and each._since is not None]
        if len(waiting) > WAITED_FOR:
            min(waiting, key=lambda each: each._since or 0.0)._go()

    def _stop_waiting(self) -> None:
        self._since = None
        if self._limit is not None:
            self._limit.cancel()
            self._limit = None

    def _go(self) -> None:
        """Whatever it sends from now on is too late."""
        self._stop_waiting()
        self.transport.abort()


def listening(app: FastAPI, port: int, behind: bool) -> uvicorn.Config:
    """On loopback: TLS and other machines are a proxy's, that the console is `behind` or not."""
    return uvicorn.Config(
        app, host="127.0.0.1", port=port, log_level="warning", access_log=False, server_header=False, http=Listening,
        ws="none", proxy_headers=behind, forwarded_allow_ips="127.0.0.1", limit_concurrency=AT_ONCE,
        timeout_keep_alive=KEPT,
    )  # fmt: skip
