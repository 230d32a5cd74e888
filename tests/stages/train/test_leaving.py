"""A training that is asked to end, or whose machines change, writes a checkpoint first; test_train.py asks a whole
stage, and in test_three_machines.py machines come and go."""

import errno
import json
import os
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from types import ModuleType, SimpleNamespace

import pytest

from tasks.core.errors import HallmarkError
from tasks.core.files import tree_digest
from tasks.stages.train import loop
from tasks.stages.train.job import Job
from tasks.stages.train.machines import sigterm, worker_capacity
from tasks.stages.train.recovery import checkpoints
from tasks.stages.train.recovery.attempts import MachinesChanged, WorkersLost
from tests.patience import wait_until
from tests.stages.train.conftest import MakeJob


@pytest.mark.usefixtures("alone")
def test_one_worker_ends_after_its_step_and_goes_on_from_there(job: MakeJob, trained: MakeJob) -> None:
    whole, cut = trained(), job("cut")
    cut.end_request_file.touch()
    with pytest.raises(MachinesChanged, match="asked to end after step 1"):
        loop.run_training(cut)
    assert kept_at(cut) == 1
    cut.end_request_file.unlink()
    loop.run_training(cut)
    assert tree_digest(cut.weights_folder) == tree_digest(whole.weights_folder)


def kept_at(made: Job) -> int:
    found = checkpoints.newest_checkpoint(made.checkpoints, made.inputs_digest)
    return found.step if found else 0


@pytest.fixture
def cluster(monkeypatch: pytest.MonkeyPatch) -> SimpleNamespace:
    """What Ray Train says of a machine that is taken away."""
    said, ray, train = SimpleNamespace(taken_away=None), ModuleType("ray"), ModuleType("ray.train")
    ray.get_runtime_context = lambda: SimpleNamespace(get_node_id=lambda: "this one")  # type: ignore[attr-defined]
    train.get_preemption_info = lambda: said.taken_away  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "ray", ray)
    monkeypatch.setitem(sys.modules, "ray.train", train)
    return said


@pytest.mark.usefixtures("alone")
def test_workers_end_with_a_checkpoint_where_a_machine_is_taken_away(job: MakeJob, cluster: SimpleNamespace) -> None:
    cluster.taken_away = "soon"
    made = replace(job(), is_on_cluster=True)
    with pytest.raises(MachinesChanged, match="a machine is taken away after step 4"):
        loop.run_training(made)
    assert kept_at(made) == 4


@pytest.mark.usefixtures("alone", "cluster")
def test_workers_end_with_their_next_checkpoint_where_there_is_room_for_more(job: MakeJob) -> None:
    made = replace(job(checkpoint_steps=2), is_on_cluster=True)
    made.more_workers_file.touch()
    with pytest.raises(MachinesChanged, match="there is room for more workers after step 2"):
        loop.run_training(made)
    assert kept_at(made) == 2


def test_a_training_with_fewer_workers_is_told_of_room_for_more(job: MakeJob, monkeypatch: pytest.MonkeyPatch) -> None:
    groups: list[list[int]] = []

    @contextmanager
    def asked(_job: Job, together: list[int]) -> Iterator[SimpleNamespace]:
        groups.append(together)
        yield SimpleNamespace(workers_placed=lambda: 1)

    monkeypatch.setattr(worker_capacity, "request_placement_groups", asked)
    monkeypatch.setattr(worker_capacity, "MIN_SECONDS_BEFORE_GROWTH", 0.0)
    monkeypatch.setattr(worker_capacity, "POLL_SECONDS", 0.01)
    made = job(workers=3, least_workers=1)
    made.more_workers_file.touch()
    with worker_capacity.seek_more_workers(made, 1):
        assert not made.more_workers_file.exists(), "of an attempt before"
        made.training_log.touch()
        wait_until(made.more_workers_file.exists, "word of more room")
    assert groups == [[1, 1]]
    with worker_capacity.seek_more_workers(made, 3):
        assert not made.more_workers_file.exists() and len(groups) == 1


def put(made: Job, **point: float) -> None:
    made.training_log.write_text(json.dumps({"step": 1, **point}) + "\n")


@pytest.mark.parametrize("steps", ["none", "of an earlier attempt"])
def test_before_a_step_is_taken_it_ends_at_once(job: MakeJob, steps: str) -> None:
    made = job()
    if steps != "none":
        put(made)
    with pytest.raises(KeyboardInterrupt), sigterm.end_on_sigterm(made):
        ask()
    assert not made.end_request_file.exists()


def test_too_late_it_ends_without(job: MakeJob, monkeypatch: pytest.MonkeyPatch) -> None:
    """Asked again it has as long as before: `hallmark down` and the end of a flow run both ask."""
    monkeypatch.setattr(sigterm, "CHECKPOINT_SECONDS", 0.2)
    made, before = job(), signal.getsignal(signal.SIGTERM)
    put(made, seconds=1.0)
    with pytest.raises(KeyboardInterrupt), sigterm.end_on_sigterm(made):
        for _ in range(3):
            ask()
        assert made.end_request_file.exists()
        wait_until(lambda: False, "the block to be ended")
    assert signal.getsignal(signal.SIGTERM) == before


@pytest.mark.parametrize(
    "error", [MachinesChanged("asked to end after step 1"), WorkersLost("worker 0 of 1 was lost")], ids=["left", "lost"]
)
def test_who_is_asked_to_end_begins_no_other_attempt(
    job: MakeJob, capsys: pytest.CaptureFixture[str], error: HallmarkError
) -> None:
    made = job()
    put(made, seconds=1.0)
    with pytest.raises(type(error)), sigterm.end_on_sigterm(made):
        raise error
    with pytest.raises(KeyboardInterrupt), sigterm.end_on_sigterm(made):
        ask()
        raise error
    assert f"{error}; run again to go on from the last checkpoint" in capsys.readouterr().out


def test_asked_in_the_last_step_it_ends_with_the_checkpoint_of_that(job: MakeJob) -> None:
    """What it trained would go with its checkpoints: the supervisor takes nothing from a stage that it asked to end."""
    made = job()
    put(made, seconds=1.0)
    with pytest.raises(KeyboardInterrupt), sigterm.end_on_sigterm(made):
        ask()


def test_where_nothing_can_be_written_it_ends_at_once(job: MakeJob, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(_: Path) -> None:
        raise OSError(errno.ENOSPC, "no space left")

    made = job()
    put(made, seconds=1.0)
    monkeypatch.setattr(Path, "touch", full)
    with pytest.raises(KeyboardInterrupt), sigterm.end_on_sigterm(made):
        ask()


def ask() -> None:
    os.kill(os.getpid(), signal.SIGTERM)
