"""Servers in a thread of this process."""

import contextvars
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from threading import Thread

import uvicorn

from tests.patience import patience, wait_until


def free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


@contextmanager
def served(config: uvicorn.Config) -> Iterator[None]:
    """Serve from when it listens until the end of the context, under the settings of Prefect that hold here."""
    server = uvicorn.Server(config)
    thread = Thread(target=contextvars.copy_context().run, args=(server.run,))
    thread.start()
    wait_until(lambda: server.started or not thread.is_alive(), "the server to listen")
    assert server.started
    try:
        yield
    finally:
        server.should_exit = True
        thread.join(patience(60))
        assert not thread.is_alive(), f"the server of {config.app} does not end"
