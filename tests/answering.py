"""HTTP servers on loopback with the answers that a test chooses."""

from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer, ThreadingHTTPServer
from threading import Thread
from typing import TypeVar

S = TypeVar("S", bound=HTTPServer)


class Quiet:
    """Mixin for request handlers that turns off their log."""

    def log_message(self, *_: object) -> None: ...


@contextmanager
def serving(server: S) -> Iterator[S]:
    """Run a server in a thread while the block runs."""
    thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@contextmanager
def listening(answer: str) -> Iterator[tuple[int, list[str]]]:
    """Answer every request with one page; yield the server's port and the list of requested paths."""
    asked: list[str] = []

    class Handler(Quiet, BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append(self.path)
            self.send_response(200)
            self.send_header("content-type", "text/html; charset=utf-8")
            self.end_headers()
            self.wfile.write(answer.encode())

    with serving(ThreadingHTTPServer(("127.0.0.1", 0), Handler)) as server:
        yield server.server_port, asked
