"""A training that is asked to end writes a checkpoint first; tests/stages/train/test_train.py asks a whole stage."""

import errno
import json
import os
import signal
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tasks.core.errors import HallmarkError
from tasks.core.files import tree_digest
from tasks.stages.train import loop
from tasks.stages.train.job import Job
from tasks.stages.train.machines import leaving
from tasks.stages.train.recovery import checkpoints
from tasks.stages.train.recovery.attempts import MachinesChange, WorkersLost
from tests.stages.train.spawn import Workers

MakeJob = Callable[..., Job]


@pytest.mark.usefixtures("alone")
def test_one_worker_ends_after_its_step_and_goes_on_from_there(job: MakeJob) -> None:
    whole, cut = job("whole"), job("cut")
    loop.train(whole)
    cut.leave.touch()
    with pytest.raises(MachinesChange, match="asked to end after step 1"):
        loop.train(cut)
    assert kept_at(cut) == 1
    cut.leave.unlink()
    loop.train(cut)
    assert tree_digest(cut.output) == tree_digest(whole.output)


def kept_at(made: Job) -> int:
    found = checkpoints.newest(made.checkpoints, made.inputs)
    return found.step if found else 0


@pytest.mark.slow
def test_two_workers_end_after_the_same_step(job: MakeJob, pair: Workers) -> None:
    whole, made = job("whole", zero_stage=2), job("cut", zero_stage=2)
    made.leave.touch()
    assert pair.answers(made) == ["asked to end after step 1\n"] * 2
    assert kept_at(made) == 1
    made.leave.unlink()
    pair.train(made)
    pair.train(whole)
    assert tree_digest(made.output) == tree_digest(whole.output)


def put(made: Job, **point: float) -> None:
    made.record.write_text(json.dumps({"step": 1, **point}) + "\n")


@pytest.mark.parametrize("steps", ["none", "of an earlier attempt"])
def test_before_a_step_is_taken_it_ends_at_once(job: MakeJob, steps: str) -> None:
    made = job()
    if steps != "none":
        put(made)
    with pytest.raises(KeyboardInterrupt), leaving.on_sigterm(made):
        ask()
    assert not made.leave.exists()


def test_too_late_it_ends_without(job: MakeJob, monkeypatch: pytest.MonkeyPatch) -> None:
    """Asked again it has as long as before: `hallmark down` and the end of a flow run both ask."""
    monkeypatch.setattr(leaving, "SECONDS", 1.0)
    made, before = job(), signal.getsignal(signal.SIGTERM)
    put(made, seconds=1.0)
    with pytest.raises(KeyboardInterrupt), leaving.on_sigterm(made):
        for _ in range(3):
            ask()
        assert made.leave.exists()
        time.sleep(60)
    assert signal.getsignal(signal.SIGTERM) == before


@pytest.mark.parametrize(
    "error", [MachinesChange("asked to end after step 1"), WorkersLost("worker 0 of 1 was lost")], ids=["left", "lost"]
)
def test_who_is_asked_to_end_begins_no_other_attempt(
    job: MakeJob, capsys: pytest.CaptureFixture[str], error: HallmarkError
) -> None:
    made = job()
    put(made, seconds=1.0)
    with pytest.raises(type(error)), leaving.on_sigterm(made):
        raise error
    with pytest.raises(KeyboardInterrupt), leaving.on_sigterm(made):
        ask()
        raise error
    assert f"{error}; run again to go on from the last checkpoint" in capsys.readouterr().out


def test_asked_in_the_last_step_it_ends_with_the_checkpoint_of_that(job: MakeJob) -> None:
    """What it trained would go with its checkpoints: the supervisor takes nothing from a stage that it asked to end."""
    made = job()
    put(made, seconds=1.0)
    with pytest.raises(KeyboardInterrupt), leaving.on_sigterm(made):
        ask()


def test_where_nothing_can_be_written_it_ends_at_once(job: MakeJob, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(_: Path) -> None:
        raise OSError(errno.ENOSPC, "no space left")

    made = job()
    put(made, seconds=1.0)
    monkeypatch.setattr(Path, "touch", full)
    with pytest.raises(KeyboardInterrupt), leaving.on_sigterm(made):
        ask()


def ask() -> None:
    os.kill(os.getpid(), signal.SIGTERM)
