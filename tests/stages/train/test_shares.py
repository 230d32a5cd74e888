"""Where the time of a worker goes; what it waits for others counts apart."""

import time
from collections.abc import Callable

import pytest
from torch import distributed

from tasks.core.files import read_json
from tasks.stages.train import loop
from tasks.stages.train.job import Job
from tasks.stages.train.shares import EVERY, PARTS, Shares
from tests.stages.train.spawn import DONE, Workers

LATE_SECONDS = 1.5  # above what a busy machine holds either worker up by


class Clock:
    """Goes on by a second whenever somebody looks."""

    def __init__(self, patch: pytest.MonkeyPatch) -> None:
        self.now = 0.0
        patch.setattr(Shares, "_now", lambda _: self.look())

    def look(self) -> float:
        self.now += 1
        return self.now


def test_a_part_within_another_counts_once(monkeypatch: pytest.MonkeyPatch) -> None:
    Clock(monkeypatch)
    shares = Shares()
    shares.step(0)
    with shares.of("backward"):
        for _ in range(2):
            with shares.of("communication"):
                pass
    with shares.of("optimizer"):
        pass
    assert {part: it for part, it in shares.seconds.items() if it} == {
        "backward": 3, "communication": 2, "optimizer": 1
    }  # fmt: skip


def test_on_a_gpu_a_step_in_twenty_counts_for_all_and_a_look_once(monkeypatch: pytest.MonkeyPatch) -> None:
    Clock(monkeypatch)
    shares = Shares("cuda:0")
    for number in range(20, 22):
        shares.step(number)
        for outer in ("backward", "checkpoint"):
            with shares.of(outer), shares.of("communication"):
                pass
    assert {part: it for part, it in shares.seconds.items() if it} == {
        "backward": 2 * EVERY, "checkpoint": 2 * 2, "communication": EVERY + 2
    }  # fmt: skip


def late(patch: pytest.MonkeyPatch) -> None:
    """The second of two workers takes its time to collate each pass."""
    collate = loop.collate

    def slow(*given: object) -> object:
        if distributed.get_rank() == 1:
            time.sleep(LATE_SECONDS)
        return collate(*given)  # type: ignore[arg-type]

    patch.setattr(loop, "collate", slow)


@pytest.mark.slow
@pytest.mark.parametrize("stage", [0, 2, 3])
def test_who_waits_for_another_worker_communicates(job: Callable[..., Job], pair: Workers, stage: int) -> None:
    made = job(zero_stage=stage, global_batch_size=8)
    assert pair.answers(made, late) == [DONE] * 2
    passes = len(made.record.read_text().splitlines())  # of each worker, one a step
    waiting, slow = (read_json(made.scratch / f"worker-{rank}.json")["seconds"] for rank in (0, 1))
    assert set(waiting) == set(PARTS)
    assert slow["data"] > LATE_SECONDS * passes
    assert waiting["communication"] > LATE_SECONDS * passes / 2
    assert slow["communication"] < waiting["communication"] - LATE_SECONDS * passes / 2
    assert computing(waiting) < computing(slow) + LATE_SECONDS * passes / 2


def computing(seconds: dict[str, float]) -> float:
    return seconds["forward"] + seconds["backward"] + seconds["optimizer"]
