"""Middleware that checks every request and adds security headers to every response."""

import re
from collections.abc import Awaitable, Callable
from urllib.parse import urlsplit

from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response

MAX_BODY_BYTES = 256 << 10
SAFE_METHODS = ("GET", "HEAD")
ACCEPTED_CONTENT_TYPES = re.compile(
    r"application/(json|x-www-form-urlencoded)\s*(;\s*charset=utf-8\s*)?", re.IGNORECASE
)
"""Content types that the console's own forms and scripts send. Multipart forms are refused, because they specify their
own charset, and Python decodes some charsets in quadratic time: 250 KB of Punycode would block the event loop for a
minute."""
SECURITY_HEADERS = {
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; "
    "connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'; frame-src 'self'",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
}
"""Headers of every response. They forbid pages to load anything from other origins, to run inline scripts and to be
shown in frames."""
NextHandler = Callable[[Request], Awaitable[Response]]


def security_middleware(origin: str) -> Callable[[Request, NextHandler], Awaitable[Response]]:
    """Return middleware that rejects requests from other origins and adds security headers to responses."""

    async def guarded(request: Request, call_next: NextHandler) -> Response:
        wrong = _rejection(request, origin)
        answer = PlainTextResponse(wrong[1], wrong[0]) if wrong else await call_next(request)
        for name, value in SECURITY_HEADERS.items():
            answer.headers.setdefault(name, value)
        if not request.url.path.startswith(("/static/", "/style/")):
            answer.headers.setdefault("Cache-Control", "no-store")
        return answer

    return guarded


def _rejection(request: Request, origin: str) -> tuple[int, str] | None:
    if request.headers.get("host", "") != urlsplit(origin).netloc:  # against DNS rebinding
        return 421, f"this console is at {origin}"
    if request.method in SAFE_METHODS:
        return None
    if request.headers.get("origin") != origin:  # browsers send it with every POST
        return 403, "this was sent by no page of the console"
    if "transfer-encoding" in request.headers:  # the length is then unknown, whatever Content-Length says
        return 411, "expected a Content-Length, and no Transfer-Encoding"
    length = request.headers.get("content-length", "")
    if not length.isdecimal():
        return 411, "expected a Content-Length"
    if int(length) > MAX_BODY_BYTES:
        return 413, f"expected at most {MAX_BODY_BYTES} bytes, got {length}"
    content_types = request.headers.getlist("content-type")
    if len(content_types) != 1 or not ACCEPTED_CONTENT_TYPES.fullmatch(content_types[0]):
        return 415, "expected application/x-www-form-urlencoded or application/json, in UTF-8"
    return None
