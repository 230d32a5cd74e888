"""HTTP requests to a provider. Responses are limited in size and time, and redirects are not followed."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import httpx2

from tasks.core.errors import Unavailable

MAX_RESPONSE_BYTES = 256 << 10
MAX_RESPONSE_SECONDS = 10
REQUEST_TIMEOUT = httpx2.Timeout(5)
"""Timeout for connecting and for each read, in seconds."""


class BoundedTransport(httpx2.BaseTransport):
    """HTTP transport that limits responses in size and time and uses no proxy.

    It raises Unavailable for a response that is too long, too slow, compressed, or a redirect.
    """

    def __init__(self) -> None:
        self._inner = httpx2.HTTPTransport()

    def handle_request(self, request: httpx2.Request) -> httpx2.Response:
        request.headers["accept-encoding"] = "identity"
        host = request.url.host
        with _unavailable_on_error(host):
            answer = self._inner.handle_request(request)
            try:
                _require_plain(answer, host)
                body = b"".join(_limited_pieces(answer, host))
            finally:
                answer.close()
        return httpx2.Response(answer.status_code, headers=answer.headers, content=body, request=request)

    def close(self) -> None:
        self._inner.close()


def get_json(url: str) -> Any:
    """Return the JSON document at a URL.

    Raises:
        Unavailable: There is no response within the limits, or it is not JSON.
    """
    try:
        with httpx2.Client(transport=BoundedTransport(), timeout=REQUEST_TIMEOUT) as client:
            answer = client.get(url)
        if answer.status_code != 200:
            raise ValueError(f"status {answer.status_code}")
        return answer.json()
    except (httpx2.InvalidURL, ValueError, RecursionError) as error:
        raise Unavailable(f"{url}: expected JSON of the sign-in's provider ({error})") from None


@contextmanager
def _unavailable_on_error(host: str) -> Iterator[None]:
    try:
        yield
    except (httpx2.HTTPError, OSError) as error:
        raise Unavailable(f"the sign-in's provider, {host}, does not answer ({type(error).__name__})") from None


def _require_plain(answer: httpx2.Response, host: str) -> None:
    if 300 <= answer.status_code < 400:
        raise Unavailable(f"the sign-in's provider, {host}, sends the console elsewhere, where it does not go")
    if answer.headers.get("content-encoding", "identity") != "identity":
        raise Unavailable(f"the sign-in's provider, {host}, packs its answer, which nobody asked of it")


def _limited_pieces(answer: httpx2.Response, host: str) -> Iterator[bytes]:
    deadline, length = time.monotonic() + MAX_RESPONSE_SECONDS, 0
    for piece in answer.iter_raw():
        length += len(piece)
        if length > MAX_RESPONSE_BYTES:
            raise Unavailable(f"the sign-in's provider, {host}, answers with more than {MAX_RESPONSE_BYTES} bytes")
        if time.monotonic() > deadline:
            raise Unavailable(
                f"the sign-in's provider, {host}, takes longer than {MAX_RESPONSE_SECONDS} seconds to answer"
            )
        yield piece
