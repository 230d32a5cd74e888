"""Servers on loopback that a command starts: it waits for them, and whoever interrupts it leaves none behind."""

import os
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from infra import local_server, ports
from infra.processes import Process, end_process, spawn_process
from tasks.core.errors import Unavailable

LISTENS = "import socket, sys, time; s = socket.create_server(('127.0.0.1', int(sys.argv[1]))); time.sleep(600)"
SLEEPS = "import time; time.sleep(600)"


@pytest.fixture
def port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as free:
        return int(free.getsockname()[1])


@pytest.fixture
def started() -> Iterator[list[Process]]:
    made: list[Process] = []
    yield made
    for process in made:
        if process.is_alive():
            end_process(process)


def start(tmp_path: Path, started: list[Process], code: str, port: int) -> Process:
    started.append(spawn_process(tmp_path, "one", ["-c", code, str(port)], dict(os.environ)))
    return started[-1]


def test_it_is_ready_once_it_answers_at_its_own_port(tmp_path: Path, started: list[Process], port: int) -> None:
    process, asked = start(tmp_path, started, LISTENS, port), list[int]()

    def answers() -> bool:
        asked.append(len(asked))
        return len(asked) == 2

    assert local_server.wait_until_ready(process, port, "it", tmp_path / "log", responds=answers)
    assert len(asked) == 2 and process.is_alive()


def test_an_interrupted_wait_leaves_no_server(
    tmp_path: Path, started: list[Process], port: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(*_: object) -> bool:
        raise KeyboardInterrupt

    process = start(tmp_path, started, SLEEPS, port)
    monkeypatch.setattr(ports, "listens", interrupted)
    with pytest.raises(KeyboardInterrupt):
        local_server.wait_until_ready(process, port, "it", tmp_path / "log")
    assert not process.is_alive()


def test_one_that_never_answers_is_ended(tmp_path: Path, started: list[Process], port: int) -> None:
    process = start(tmp_path, started, SLEEPS, port)
    with pytest.raises(Unavailable, match="it does not answer; its log is"):
        local_server.wait_until_ready(process, port, "it", tmp_path / "log", seconds=0.5)
    assert not process.is_alive()


def test_another_was_faster_to_take_the_port(tmp_path: Path, started: list[Process]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as others:
        port = others.getsockname()[1]
        process = start(tmp_path, started, LISTENS, port)
        assert not local_server.wait_until_ready(process, port, "it", tmp_path / "log", responds=lambda: True)
