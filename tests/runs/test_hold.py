"""One process executes a run, and looking whether one does disturbs nothing."""

import inspect
import threading
import time
from pathlib import Path
from types import SimpleNamespace

import pytest

from tasks.core.errors import Refused
from tasks.core.machine import locks
from tasks.runs import journal
from tasks.runs.journal import Journal, StageState
from tasks.runs.run_lock import LOCK_WAIT_SECONDS, hold_run_lock, is_run_executing


def test_a_second_process_is_refused_after_a_moment(tmp_path: Path) -> None:
    with hold_run_lock(tmp_path, "r1"):
        assert is_run_executing(tmp_path, "r1")
        with (
            pytest.raises(Refused, match="r1 is being executed by another process"),
            hold_run_lock(tmp_path, "r1", 0.2),
        ):
            pass
    assert not is_run_executing(tmp_path, "r1") and not is_run_executing(tmp_path, "r2")


def test_who_only_looks_for_a_moment_keeps_nobody_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The thread that looks releases the lock once the other has been refused and sleeps before its next try."""
    looking, refused = threading.Event(), threading.Event()

    def look() -> None:
        with hold_run_lock(tmp_path, "r1"):
            looking.set()
            refused.wait()

    monkeypatch.setattr(locks, "time", SimpleNamespace(monotonic=time.monotonic, sleep=lambda _: refused.set()))
    thread = threading.Thread(target=look)
    thread.start()
    looking.wait()
    with hold_run_lock(tmp_path, "r1", 60):
        pass
    thread.join()
    assert inspect.signature(hold_run_lock).parameters["wait_seconds"].default == LOCK_WAIT_SECONDS > 0


def test_a_run_left_as_running_that_nobody_executes_was_interrupted(tmp_path: Path) -> None:
    stages = {"split": StageState(state="done"), "train": StageState(state="running")}
    journal.write_journal(tmp_path, Journal(run="r1", requested_by="ml-engineer", stages=stages))
    with hold_run_lock(tmp_path, "r1"):
        assert [known.status for known in journal.read_journals(tmp_path)] == ["running"]
    (left,) = journal.read_journals(tmp_path)
    assert left.status == "interrupted"
    assert {name: line.state for name, line in left.stages.items()} == {"split": "done", "train": "interrupted"}
    journal.write_journal(tmp_path, Journal(run="r1", requested_by="ml-engineer", status="waiting"))
    assert [known.status for known in journal.read_journals(tmp_path)] == ["waiting"]
