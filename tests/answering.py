"""HTTP servers on loopback that answer as a test wants."""

from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer, ThreadingHTTPServer
from threading import Thread
from typing import TypeVar

S = TypeVar("S", bound=HTTPServer)


class Quiet:
    """Keeps a handler of requests from logging them."""

    def log_message(self, *_: object) -> None: ...


@contextmanager
def serving(server: S) -> Iterator[S]:
    """Have a server answer in a thread until the end of the context."""
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
    """Answer everything with one page; gives the server's port, and what it was asked for."""
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
