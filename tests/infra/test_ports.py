"""Ports of loopback: by its name, this machine is two addresses."""

import asyncio
import socket
from collections.abc import Iterator
from contextlib import ExitStack

import pytest

from infra import ports


@pytest.fixture
def stranger() -> Iterator[socket.socket]:
    """Somebody who listens at the other address of a port that nobody has at the first one."""
    with ExitStack() as others:
        while True:
            try:
                listening = others.enter_context(socket.create_server(("::1", 0), family=socket.AF_INET6))
            except OSError as error:
                pytest.skip(f"no IPv6 here: {error.strerror}")
            if ports.free_port(port := listening.getsockname()[1]) == port:
                break
        yield listening


@pytest.mark.attack(rights="visitor", stopped="browsers ask ::1 first for localhost, and the console listens there too")
def test_nobody_else_answers_to_the_name(stranger: socket.socket) -> None:
    port = stranger.getsockname()[1]
    with stranger:
        assert ports.free_port(port) == port, "by its address it is free"
        assert ports.free_port(port, for_localhost=True) is None
    both = ports.bind_loopback(port, for_localhost=True)
    assert [each.getsockname()[:2] for each in both] == [("127.0.0.1", port), ("::1", port)]
    for each in both:
        each.listen()
    for family, host in ((socket.AF_INET6, "::1"), (socket.AF_INET6, "::"), (socket.AF_INET, "127.0.0.1")):
        with pytest.raises(OSError, match="in use"):
            socket.create_server((host, port), family=family)
    for each in both:
        each.close()
    assert ports.free_port(port, for_localhost=True) == port


def test_any_port_is_the_same_at_both() -> None:
    both = ports.bind_loopback(0, for_localhost=True)
    assert len({each.getsockname()[1] for each in both}) == 1
    for each in both:
        each.close()


def test_small_answers_are_sent_at_once() -> None:
    (listening,) = ports.bind_loopback(0)

    async def accepted_option() -> int:
        found = asyncio.get_running_loop().create_future()

        def accept(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            line = writer.get_extra_info("socket")
            found.set_result(line.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY))
            writer.close()

        async with await asyncio.start_server(accept, sock=listening):
            _, writer = await asyncio.open_connection(*listening.getsockname())
            option: int = await found
            writer.close()
        return option

    assert asyncio.run(accepted_option())
