"""Workers as processes of their own, without Ray: `python -m tests.train.spawn JOB RANK SIZE`."""

import os
import pickle
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]


def run_workers(job: object, examples: object, size: int) -> None:
    """Run `tasks.stages.train.loop.train` on `size` workers. Raises CalledProcessError where one fails."""
    packed = job.scratch / "job.pickle"  # type: ignore[attr-defined]
    packed.write_bytes(pickle.dumps((job, examples)))
    command = [sys.executable, "-m", "tests.train.spawn", str(packed)]
    workers = [subprocess.Popen([*command, str(rank), str(size)], cwd=ROOT) for rank in range(size)]
    try:
        for worker in workers:
            if worker.wait(timeout=400):
                raise subprocess.CalledProcessError(worker.returncode, command)
    finally:
        for worker in workers:
            worker.kill()


def main() -> None:
    packed, rank, size = Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])
    os.environ.update(DS_ACCELERATOR="cpu", RANK=str(rank), WORLD_SIZE=str(size), LOCAL_RANK=str(rank))
    from torch import distributed

    from tasks.stages.train import loop

    meeting = packed.with_name("meeting")
    distributed.init_process_group("gloo", init_method=f"file://{meeting}", rank=rank, world_size=size)
    loop.train(*pickle.loads(packed.read_bytes()))
    distributed.destroy_process_group()


if __name__ == "__main__":
    main()
