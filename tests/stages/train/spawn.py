"""Workers as processes of their own, without Ray: `python -m tests.stages.train.spawn MEETING RANK SIZE`.

They take one job after the other, since each takes eight seconds to import what it trains with.
"""

import os
import pickle
import subprocess
import sys
from pathlib import Path
from typing import Self

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
        packed = job.scratch / "job.pickle"  # type: ignore[attr-defined]
        packed.write_bytes(pickle.dumps(job))
        for worker in self._all:
            print(packed, file=worker.stdin, flush=True)
        assert [worker.stdout.readline() for worker in self._all if worker.stdout] == [DONE] * len(self._all)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        for worker in self._all:
            worker.kill()
            worker.communicate()


def main() -> None:
    meeting, rank, size = sys.argv[1:]
    answers, sys.stdout = sys.stdout, sys.stderr
    os.environ.update(DS_ACCELERATOR="cpu", RANK=rank, WORLD_SIZE=size, LOCAL_RANK=rank)
    from torch import distributed

    from tasks.stages.train import loop

    distributed.init_process_group("gloo", init_method=f"file://{meeting}", rank=int(rank), world_size=int(size))
    for line in sys.stdin:
        loop.train(pickle.loads(Path(line.strip()).read_bytes()))
        print(DONE, end="", file=answers, flush=True)


if __name__ == "__main__":
    main()
