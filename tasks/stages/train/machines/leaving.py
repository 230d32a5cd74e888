"""The process of the stage is asked to end while its workers train: they write a checkpoint first."""

import os
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

from tasks.core.progress import announce
from tasks.stages.train import watch
from tasks.stages.train.job import Job
from tasks.stages.train.recovery.attempts import MachinesChange

SECONDS = 20.0
"""That the step in hand and its checkpoint may take. Spot machines are taken back 30 seconds after they are told, and
whoever ends a stage waits longer than this (`tasks.supervise.process`)."""


@contextmanager
def on_sigterm(job: Job) -> Iterator[None]:
    """SIGTERM ends the block by KeyboardInterrupt: once the workers have written a checkpoint, where they took a step
    since the last; after SECONDS, or another SIGTERM, without."""
    in_time = threading.Timer(SECONDS, os.kill, (os.getpid(), signal.SIGTERM))
    in_time.daemon = True

    def asked(_signal: int, _frame: FrameType | None) -> None:
        if job.leave.exists() or not under_way(job):
            raise KeyboardInterrupt
        job.leave.touch()
        in_time.start()

    before = signal.signal(signal.SIGTERM, asked)
    try:
        yield
    except MachinesChange as error:
        if not job.leave.exists():
            raise
        announce("train", f"{error}: a checkpoint of it is kept")
        raise KeyboardInterrupt from None
    finally:
        in_time.cancel()
        signal.signal(signal.SIGTERM, before)


def under_way(job: Job) -> bool:
    """Whether the workers of this attempt have taken a step."""
    return any("seconds" in point for point in watch.read_record(job.record))
