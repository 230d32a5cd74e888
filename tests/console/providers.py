"""Providers of OpenID Connect on loopback: one that somebody else wrote, and one that says whatever a test wants."""

import base64
import json
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs

from joserfc import jwt
from joserfc.jwk import RSAKey

from tests.answering import Quiet, serving
from tests.console.servers import free_port
from tests.patience import patience, wait_until

CLIENT = "hallmark-console"
SECRET = "a secret of the client"
CLAIMS = dict[str, Any]


@contextmanager
def real() -> Iterator[str]:
    """`oidc-provider-mock` in a process of its own; gives its address under another name than the console's, so that a
    browser takes them for two sites."""
    port = free_port()
    command = [sys.executable, "-m", "oidc_provider_mock", "--port", str(port), "--require-nonce"]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        _wait_for(process, f"http://127.0.0.1:{port}/jwks")
        yield f"http://localhost:{port}"
    finally:
        process.terminate()
        process.wait()


def _wait_for(process: subprocess.Popen[bytes], url: str) -> None:
    def answers() -> bool:
        try:
            with urllib.request.urlopen(url, timeout=patience(5)):
                return True
        except OSError:
            return False

    wait_until(answers, f"the provider to answer at {url}", process=process)


class Lying:
    """What it says is in its attributes; tests change them."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.key = RSAKey.generate_key(2048, {"kid": "its-own"})
        self.reset()

    def reset(self) -> None:
        self.nonce, self.subject = "", "owner-1"
        self.claims: CLAIMS = {}
        self.token: Any = self.signed
        self.discovery: CLAIMS = {}
        self.instead: dict[str, tuple[int, dict[str, str], bytes]] = {}
        self.asked: list[tuple[str, dict[str, str], dict[str, list[str]]]] = []

    def said(self) -> CLAIMS:
        now = int(time.time())
        own = {"iss": self.url, "aud": CLIENT, "sub": self.subject, "nonce": self.nonce, "iat": now, "exp": now + 60}
        return {name: value for name, value in (own | self.claims).items() if value is not None}

    def signed(self) -> str:
        return jwt.encode({"alg": "RS256", "kid": "its-own"}, self.said(), self.key)

    def unsigned(self, header: CLAIMS) -> str:
        """Header and claims, without a signature."""
        parts = (json.dumps(each).encode() for each in (header, self.said()))
        return ".".join(base64.urlsafe_b64encode(each).decode().rstrip("=") for each in parts)

    def answer(self, path: str) -> Any:
        if path == "/.well-known/openid-configuration":
            return {
                "issuer": self.url, "authorization_endpoint": f"{self.url}/authorize",
                "token_endpoint": f"{self.url}/token", "jwks_uri": f"{self.url}/jwks", **self.discovery,
            }  # fmt: skip
        if path == "/jwks":
            return {"keys": [{"kty": "oct", "k": "AAAA", "kid": "its-own"}, self.key.as_dict(private=False)]}
        return {"access_token": "x", "token_type": "Bearer", "expires_in": 60, "id_token": self.token()}


@contextmanager
def lying() -> Iterator[Lying]:
    class Handler(Quiet, BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            body = self.rfile.read(int(self.headers.get("content-length", 0))).decode()
            provider.asked.append((self.path, dict(self.headers), parse_qs(body)))
            usual = json.dumps(provider.answer(self.path)).encode() if self.path not in provider.instead else b""
            status, headers, content = provider.instead.get(
                self.path, (200, {"Content-Type": "application/json"}, usual)
            )
            self.send_response(status)
            for name, value in {**headers, "Content-Length": str(len(content))}.items():
                self.send_header(name, value)
            self.end_headers()
            try:
                self.wfile.write(content)
            except ConnectionError:  # whoever asked has read enough
                self.close_connection = True

        do_POST = do_GET  # noqa: N815

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    provider = Lying(f"http://127.0.0.1:{server.server_port}")
    with serving(server):
        yield provider
