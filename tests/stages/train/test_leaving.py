"""A training that is asked to end writes a checkpoint first; tests/stages/train/test_train.py asks a whole stage."""

import json
import os
import signal
import time
from collections.abc import Callable

import pytest

from tasks.core.files import tree_digest
from tasks.stages.train import loop
from tasks.stages.train.job import Job
from tasks.stages.train.machines import leaving
from tasks.stages.train.recovery import checkpoints
from tasks.stages.train.recovery.attempts import MachinesChange
from tests.stages.train.spawn import DONE, Workers

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
    made = job(global_batch_size=4)
    made.leave.touch()
    assert pair.answers(made) == ["asked to end after step 4\n"] * 2
    assert kept_at(made) == 4
    made.leave.unlink()
    assert pair.answers(made) == [DONE] * 2


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


@pytest.mark.parametrize("again", [True, False], ids=["asked again", "too late"])
def test_whoever_waits_no_longer_ends_it(job: MakeJob, monkeypatch: pytest.MonkeyPatch, again: bool) -> None:
    monkeypatch.setattr(leaving, "SECONDS", 600.0 if again else 0.2)
    made, before = job(), signal.getsignal(signal.SIGTERM)
    put(made, seconds=1.0)
    with pytest.raises(KeyboardInterrupt), leaving.on_sigterm(made):
        ask()
        assert made.leave.exists()
        if again:
            ask()
        time.sleep(60)
    assert signal.getsignal(signal.SIGTERM) == before


def test_workers_that_leave_end_the_stage_and_other_changes_do_not(
    job: MakeJob, capsys: pytest.CaptureFixture[str]
) -> None:
    made = job()
    put(made, seconds=1.0)
    with pytest.raises(MachinesChange), leaving.on_sigterm(made):
        raise MachinesChange("there is room for more workers after step 1")
    with pytest.raises(KeyboardInterrupt), leaving.on_sigterm(made):
        ask()
        raise MachinesChange("asked to end after step 1")
    assert "asked to end after step 1: a checkpoint of it is kept" in capsys.readouterr().out


def ask() -> None:
    os.kill(os.getpid(), signal.SIGTERM)
