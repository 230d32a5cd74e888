"""Workers as processes of their own, without Ray: `python -m tests.stages.train.spawn MEETING RANK SIZE`.

They take one job after the other, since each takes eight seconds to import what it trains with.
"""

import os
import pickle
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, Self

import pytest

ROOT = Path(__file__).parents[3]
DONE = "done\n"


class Workers:
    """A process group of `size`, until the block ends."""

    def __init__(self, folder: Path, size: int) -> None:
        command = [sys.executable, "-m", "tests.stages.train.spawn", str(folder / "meeting")]
        pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
        self._all = [
            subprocess.Popen([*command, str(rank), str(size)], cwd=ROOT, text=True, **pipes) for rank in range(size)
        ]

    def train(self, job: object) -> None:
        """Run `tasks.stages.train.loop.train` on all of them. Fails where one does."""
        assert self.answers(job) == [DONE] * len(self._all)

    def answers(self, job: object, plant: Callable[[pytest.MonkeyPatch], None] | None = None) -> list[str]:
        """The same with a fault in it: of each, DONE or why it refused. `plant` is a function of a module."""
        packed = job.scratch / "job.pickle"  # type: ignore[attr-defined]
        packed.write_bytes(pickle.dumps((job, plant)))
        for worker in self._all:
            print(packed, file=worker.stdin, flush=True)
        return [worker.stdout.readline() for worker in self._all if worker.stdout]

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        for worker in self._all:
            worker.kill()
            worker.communicate()


def main() -> None:
    meeting, rank, size = sys.argv[1:]
    answers, sys.stdout = sys.stdout, sys.stderr
    os.environ.update(DS_ACCELERATOR="cpu", RANK=rank, WORLD_SIZE=size, LOCAL_RANK=rank, LOCAL_WORLD_SIZE=size)
    from torch import distributed

    distributed.init_process_group("gloo", init_method=f"file://{meeting}", rank=int(rank), world_size=int(size))
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
            loop.train(job)
        except HallmarkError as refused:
            return f"{refused}\n"
    return DONE


if __name__ == "__main__":
    main()
