"""Where the time of a worker goes; what it waits for others counts apart."""

from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from itertools import count
from pathlib import Path
from typing import Any

import pytest
from torch import distributed

from tasks.core.files import read_json
from tasks.stages.train import loop
from tasks.stages.train.measurement.time_shares import GPU_MEASUREMENT_INTERVAL, TIME_PARTS, PartTimer
from tests.patience import wait_until
from tests.stages.train.conftest import MakeJob
from tests.stages.train.spawn import DONE, Workers

TICKS = 10


class Clock:
    """Goes on by a second whenever somebody looks."""

    def __init__(self, patch: pytest.MonkeyPatch) -> None:
        self.now = 0.0
        patch.setattr(PartTimer, "_now", lambda _: self.look())

    def look(self) -> float:
        self.now += 1
        return self.now


def test_a_part_within_another_counts_once(monkeypatch: pytest.MonkeyPatch) -> None:
    Clock(monkeypatch)
    shares = PartTimer()
    shares.begin_step(0)
    with shares.measure("backward"):
        for _ in range(2):
            with shares.measure("communication"):
                pass
    with shares.measure("optimizer"):
        pass
    assert {part: it for part, it in shares.seconds.items() if it} == {
        "backward": 3, "communication": 2, "optimizer": 1
    }  # fmt: skip


def test_on_a_gpu_a_step_in_twenty_counts_for_all_and_a_look_once(monkeypatch: pytest.MonkeyPatch) -> None:
    Clock(monkeypatch)
    shares = PartTimer("cuda:0")
    for number in range(20, 22):
        shares.begin_step(number)
        for outer in ("backward", "checkpoint"):
            with shares.measure(outer), shares.measure("communication"):
                pass
    assert {part: it for part, it in shares.seconds.items() if it} == {
        "backward": 2 * GPU_MEASUREMENT_INTERVAL, "checkpoint": 2 * 2, "communication": GPU_MEASUREMENT_INTERVAL + 2
    }  # fmt: skip


def late(folder: Path, patch: pytest.MonkeyPatch) -> None:
    """Have the second of two workers take TICKS to collate each pass, by a clock that both look at.

    The clock goes on once the first worker waits for the second in the same pass, and at no other time.
    """
    clock, waiting = folder / "clock", folder / "waiting"
    of, collate, rank, passes = PartTimer.measure, loop.collate, distributed.get_rank(), count(1)
    now = 0

    def collated(*given: Any) -> Any:
        nonlocal now
        now = next(passes)
        if rank == 1:
            wait_until(lambda: waiting.exists() and waiting.read_text() == str(now), f"the other worker in pass {now}")
            with clock.open("a") as file:
                file.write("." * TICKS)
        return collate(*given)

    @contextmanager
    def part(shares: PartTimer, name: str) -> Iterator[None]:
        with of(shares, name):
            if rank == 0 and name == "communication":
                waiting.with_suffix(".new").write_text(str(now))
                waiting.with_suffix(".new").rename(waiting)
            yield

    patch.setattr(PartTimer, "_now", lambda _: float(clock.stat().st_size))
    patch.setattr(PartTimer, "measure", part)
    patch.setattr(loop, "collate", collated)


@pytest.mark.slow
@pytest.mark.parametrize("stage", [0, 2, 3])
def test_who_waits_for_another_worker_communicates(job: MakeJob, pair: Workers, tmp_path: Path, stage: int) -> None:
    made = job(zero_stage=stage, global_batch_size=8)
    (tmp_path / "clock").touch()
    assert pair.answers(made, partial(late, tmp_path)) == [DONE] * 2
    passes = len(made.training_log.read_text().splitlines())  # of each worker, one a step
    waiting, slow = (read_json(made.scratch / f"worker-{rank}.json")["seconds"] for rank in (0, 1))
    assert set(waiting) == set(TIME_PARTS)
    assert {part: it for part, it in slow.items() if it} == {"data": TICKS * passes}
    assert {part: it for part, it in waiting.items() if it} == {"communication": TICKS * passes}
