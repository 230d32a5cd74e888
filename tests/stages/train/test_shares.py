"""Where the time of a worker goes; what it waits for others counts apart."""

import time
from collections.abc import Callable

import pytest
from torch import distributed

from tasks.core.files import read_json
from tasks.stages.train import loop
from tasks.stages.train.job import Job
from tasks.stages.train.shares import PARTS, Shares
from tests.stages.train.spawn import DONE, Workers

LATE_SECONDS = 0.5


def test_a_part_within_another_counts_once() -> None:
    shares = Shares()
    shares.step(0)
    with shares.of("backward"):
        time.sleep(0.02)
        for _ in range(2):
            with shares.of("communication"):
                time.sleep(0.1)
    with shares.of("optimizer"):
        time.sleep(0.05)
    assert 0.02 <= shares.seconds["backward"] < 0.1
    assert 0.2 <= shares.seconds["communication"] < 0.3
    assert 0.05 <= shares.seconds["optimizer"] < 0.1


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
    assert waiting["communication"] > LATE_SECONDS * passes * 0.9
    assert slow["communication"] < waiting["communication"] - LATE_SECONDS * passes / 2
    assert computing(waiting) < computing(slow) + LATE_SECONDS * passes / 2


def computing(seconds: dict[str, float]) -> float:
    return seconds["forward"] + seconds["backward"] + seconds["optimizer"]
