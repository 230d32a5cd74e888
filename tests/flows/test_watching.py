"""The watch of two machines that share a ledger: one has the lease and asks for what is due, the other takes over."""

import contextlib
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from flows.occasions import Occasions
from infra.doctor import looks
from infra.prefect import access, watching
from tasks.ledger.leases import TERM, open_leases
from tasks.ledger.ledger import Ledger, open_ledger
from tasks.occasions import deciding
from tasks.occasions.book import TAKEN
from tasks.runs import installation
from tasks.runs.environment import isolated
from tasks.runs.run import installed_governance
from tests.checkouts import Checkouts
from tests.flows.test_occasions import look
from tests.governed.postgres import started
from tests.in_process import hallmark
from tests.ledger.test_leases import shift

pytestmark = pytest.mark.slow


@pytest.fixture
def machines(tmp_path: Path, checkouts: Checkouts, monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[Path, Path]]:
    """Two checkouts with the same keys and one ledger."""
    with started() as url:
        monkeypatch.setenv("HALLMARK_LEDGER_URL", url)
        monkeypatch.delenv("PREFECT_API_URL", raising=False)
        first, second = checkouts.made(tmp_path / "first"), checkouts.made(tmp_path / "second")
        hallmark(first, "init")
        shutil.copytree(first / ".hallmark" / "keys", second / ".hallmark" / "keys")
        yield first, second


def declare(ledger: Ledger, root: Path) -> datetime:
    """A schedule, and when it is due first."""
    anchor = ledger.now() + timedelta(seconds=15)
    text = f"schedules:\n  hourly: {{every: 1h, anchor: '{anchor:%Y-%m-%d %H:%M:%S}'}}\n"
    deciding.declare(ledger, installed_governance(root, None), "ml-engineer", text)
    return anchor


@contextlib.contextmanager
def watch(root: Path) -> Iterator["subprocess.Popen[str]"]:
    """As `hallmark watch` becomes it."""
    access.folder(root).mkdir(parents=True, exist_ok=True)
    given = isolated(access.environment(root, "", own=False))
    del given["PREFECT_API_URL"]
    with (access.folder(root) / "watch.log").open("w") as log:
        process = subprocess.Popen(
            [sys.executable, "-I", "-m", "infra.prefect.watch"],
            cwd=access.folder(root),
            env=given,
            stderr=log,
            text=True,
        )
        try:
            yield process
        finally:
            process.kill()
            process.wait()


def until(done: Callable[[], bool], root: Path, seconds: float = 60) -> None:
    deadline = time.monotonic() + seconds
    while not done():
        assert time.monotonic() < deadline, (access.folder(root) / "watch.log").read_text()
        time.sleep(0.1)


def asked(ledger: Ledger) -> list[str]:
    """Which installations asked for runs."""
    return [str(entry.body["installation"]) for entry in ledger.entries(TAKEN)]


def test_one_watches_for_all_and_another_takes_over(machines: tuple[Path, Path]) -> None:
    first, second = machines
    ledger, leases = open_ledger(first / ".hallmark"), open_leases(first / ".hallmark")
    ours, theirs = installation.of(first), installation.of(second)
    assert watching.who(first) == watching.Watching("nobody has watched yet", True)
    with watch(first) as one:
        until(lambda: ours in watching.who(second).words, first)
        with watch(second):
            until(lambda: "watches since" in (access.folder(second) / "watch.log").read_text(), second)
            declare(ledger, first)
            until(lambda: bool(ledger.entries(TAKEN)), first)
            assert f"installation {ours}, process {one.pid}, since" in hallmark(second, "status")

            one.send_signal(signal.SIGKILL)
            one.wait()
            shift(leases, TERM)  # in place of waiting
            until(lambda: theirs in watching.who(first).words, second)
            declare(ledger, first)
            until(lambda: len(ledger.entries(TAKEN)) == 2, second)
            assert asked(ledger) == [ours, theirs], "each occasion once"
    shift(leases, TERM + watching.LATE)
    (line,) = looks.lines(first, {"watch": looks.LOOKS["watch"]})
    assert line.says.startswith("nobody for 5m") and line.says.endswith("; 1 schedules") and "hallmark up" in line.do


def test_one_that_is_told_to_end_lets_go(machines: tuple[Path, Path]) -> None:
    first, _ = machines
    with watch(first) as one:
        until(lambda: installation.of(first) in watching.who(first).words, first)
        one.send_signal(signal.SIGTERM)
        assert one.wait(timeout=120) == 0
    found = watching.who(first)
    assert found.words.startswith("nobody for ") and not found.is_missing
    (line,) = looks.lines(first, {"watch": looks.LOOKS["watch"]})
    assert not line.do, "nothing waits"


def test_a_machine_whose_clock_is_behind_asks_for_what_is_due_once(
    machines: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Both believe to lead, as where the first was asleep for longer than its term."""
    first, second = machines
    ledger = open_ledger(first / ".hallmark")
    due = declare(ledger, first)
    until(lambda: ledger.now() > due, first)
    leading, late = Occasions(first), Occasions(second)
    look(leading)
    assert asked(ledger) == [installation.of(first)]
    monkeypatch.setattr(time, "time", lambda: 0.0)
    monkeypatch.setattr("tasks.ledger.ledger.datetime", None)
    monkeypatch.setattr("tasks.ledger.leases.datetime", None)
    look(late)
    assert asked(ledger) == [installation.of(first)], "the ledger's time is the database's"
    looking = Occasions(second, leads=lambda: False)
    due = declare(ledger, first)
    until(lambda: ledger.now() > due, first)
    look(looking)
    assert len(asked(ledger)) == 1, "who does not lead asks for nothing"


def test_this_process_is_the_one_that_is_named(tmp_path: Path) -> None:
    assert str(os.getpid()) not in watching.who(tmp_path).words and not list(tmp_path.iterdir()), "asking makes nothing"
