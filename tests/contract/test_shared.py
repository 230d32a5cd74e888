"""Tests of what pytest workers share, of who goes first, and of time limits that grow with the machine."""

import re
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Barrier, Event

import pytest

from tasks.core.machine import locks
from tests import patience, shared
from tests.tiny_project import ROOT

HERE = Path(__file__)


def test_the_first_who_asks_makes_it_and_others_have_it(tmp_path: Path) -> None:
    made: list[Path] = []
    for _ in range(2):
        assert shared.made_once(tmp_path / "it", made.append) == tmp_path / "it"
    assert len(made) == 1 and (tmp_path / "it").is_dir()


def test_what_could_not_be_made_is_not_tried_again(tmp_path: Path) -> None:
    tried: list[Path] = []

    def fail(folder: Path) -> None:
        tried.append(folder)
        raise ValueError("a stage is broken")

    with pytest.raises(ValueError, match="a stage is broken"):
        shared.made_once(tmp_path / "it", fail)
    with pytest.raises(pytest.fail.Exception, match=r"it could not be made:(.|\n)*a stage is broken"):
        shared.made_once(tmp_path / "it", fail)
    assert len(tried) == 1


def test_the_first_is_alone_and_the_others_come_once_it_has_left(tmp_path: Path) -> None:
    began, going, came = Event(), Event(), list[int]()

    def first() -> None:
        with shared.first_alone(tmp_path, "it"):
            began.set()
            going.wait()
            came.append(1)

    def other(barrier: Barrier) -> None:
        with shared.first_alone(tmp_path, "it"):
            came.append(2)
            barrier.wait()  # both are in at once

    with ThreadPoolExecutor(3) as pool:
        pool.submit(first)
        began.wait()
        both = [pool.submit(other, barrier) for barrier in [Barrier(2, timeout=patience.patience(30))] * 2]
        going.set()
        assert not any(each.exception(patience.patience(30)) for each in both)
    assert came == [1, 2, 2]


def test_where_the_first_failed_another_is_alone(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="of the first"), shared.first_alone(tmp_path, "it"):
        raise ValueError("of the first")
    assert not (tmp_path / "it.done").exists()
    with shared.first_alone(tmp_path, "it"):
        assert locks.is_held(tmp_path / "it.lock")


OWN_CLOCK = re.compile(r"""setattr\(\s*(time, ["']|["'][\w.]*\btime\.)(monotonic|sleep)\b""")


@pytest.mark.parametrize(
    "word", ['setattr(time, "sleep", wait)', 'setattr("flows.suspended_runs.time.monotonic", clock)']
)
def test_a_clock_that_other_threads_wait_by_is_seen(word: str) -> None:
    assert OWN_CLOCK.search(word) and not OWN_CLOCK.search(
        'setattr("flows.suspended_runs.time", SimpleNamespace(sleep=wait))'
    )


def test_no_test_replaces_the_clock_that_other_threads_wait_by() -> None:
    """A server in a thread of this process would wait for ever. The module under test can have a `time` of its own."""
    assert not [path for path in (ROOT / "tests").rglob("*.py") if OWN_CLOCK.search(path.read_text()) and path != HERE]


@pytest.mark.timeout(70)
def test_a_limit_of_time_grows_with_the_machine(
    request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(patience.SLOWNESS, "2")
    before = request.node.get_closest_marker("timeout").args[0]
    patience.lengthen_timeouts([request.node], request.config)
    assert request.node.get_closest_marker("timeout").args == (2 * before,)
