"""Workers as processes of their own, without Ray.

They are forked from a process that has imported what they train with, which takes eight seconds, and take one job after
the other.
"""

import os
import pickle
import signal
import sys
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import Any, Self

import pytest

from tests import forking

DONE = "done\n"
FOR_TRAINING = ("transformers.models.llama.modeling_llama", "transformers.integrations.deepspeed", "peft",
                "tasks.stages.train.loop")  # fmt: skip
"""Modules that a training imports, besides DeepSpeed."""


DEEPSPEED = "from tasks.stages.train.model import engine; engine.import_deepspeed()"


class Workers:
    """A process group of `size`, until the block ends."""

    def __init__(self, folder: Path, size: int) -> None:
        self._folder, self._started = folder, ExitStack()
        once = self._started.enter_context(forking.importing(*FOR_TRAINING, before=DEEPSPEED))
        self._all = [
            once.start("from tests.stages.train import spawn; spawn.main()", folder, rank, size) for rank in range(size)
        ]

    def train(self, job: object) -> None:
        """Run `tasks.stages.train.loop.run_training` on all of them. Fails where one does."""
        assert self.answers(job) == [DONE] * len(self._all)

    def answers(self, job: object, plant: Callable[[pytest.MonkeyPatch], None] | None = None) -> list[str]:
        """The same with a fault in it: of each, DONE or why it refused. `plant` is a function of a module."""
        packed = job.scratch / "job.pickle"  # type: ignore[attr-defined]
        packed.write_bytes(pickle.dumps((job, plant)))
        for worker in self._all:
            print(packed, file=worker.stdin, flush=True)
        return [worker.stdout.readline() or self._log(rank).read_text() for rank, worker in enumerate(self._all)]

    def _log(self, rank: int) -> Path:
        return self._folder / f"worker-{rank}.log"

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        for worker in self._all:
            worker.send_signal(signal.SIGKILL)
            worker.communicate()
        self._started.close()


def main() -> None:
    folder, rank, size = Path(sys.argv[1]), *map(int, sys.argv[2:])
    answers, sys.stdout = sys.stdout, sys.stderr
    os.dup2(os.open(folder / f"worker-{rank}.log", os.O_CREAT | os.O_WRONLY), sys.stderr.fileno())
    os.environ.update(RANK=str(rank), WORLD_SIZE=str(size), LOCAL_RANK=str(rank), LOCAL_WORLD_SIZE=str(size))
    from torch import distributed

    distributed.init_process_group("gloo", init_method=f"file://{folder / 'meeting'}", rank=rank, world_size=size)
    for line in sys.stdin:
        job, plant = pickle.loads(Path(line.strip()).read_bytes())
        print(answer(job, plant), end="", file=answers, flush=True)


def answer(job: Any, plant: Callable[[pytest.MonkeyPatch], None] | None) -> str:
    from tasks.core.errors import HallmarkError
    from tasks.stages.train import loop

    with pytest.MonkeyPatch.context() as patch:
        if plant:
            plant(patch)
        try:
            loop.run_training(job)
        except HallmarkError as refused:
            return f"{refused}\n"
    return DONE
