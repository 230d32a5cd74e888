"""The process of the stage is asked to end while its workers train: they write a checkpoint first."""

import os
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import count
from types import FrameType

from tasks.core.errors import HallmarkError
from tasks.core.progress import announce
from tasks.stages.train import watch
from tasks.stages.train.job import Job

SECONDS = 20.0
"""That the step in hand and its checkpoint may take. Spot machines are taken back 30 seconds after they are told. Each
process that ends a stage waits for longer (`supervise/process.py`, `runs/dvc.py`)."""


@contextmanager
def on_sigterm(job: Job) -> Iterator[None]:
    """SIGTERM ends the block by KeyboardInterrupt, and its workers by `job.leave`.

    They have SECONDS for a checkpoint. It ends at once where this attempt took no step. Another SIGTERM changes
    nothing, since several processes may ask."""
    turns, asked, late = count(), list[int](), threading.Event()

    def end() -> None:
        late.set()
        os.kill(os.getpid(), signal.SIGTERM)

    in_time = threading.Timer(SECONDS, end)
    in_time.daemon = True

    def ask(sign: int, _frame: FrameType | None) -> None:
        """Another one may begin in the middle of this one, so it waits for no lock."""
        if late.is_set():
            raise KeyboardInterrupt
        if next(turns):
            return
        asked.append(sign)
        try:
            if not watch.goes_on(job.record):
                raise KeyboardInterrupt
            job.leave.touch()
        except OSError:  # a full disk keeps no checkpoint either
            raise KeyboardInterrupt from None
        in_time.start()

    before = signal.signal(signal.SIGTERM, ask)
    try:
        yield
        if asked:  # too late to be heard: the last checkpoint is that of the last step
            raise KeyboardInterrupt
    except HallmarkError as error:
        if not asked:
            raise
        announce("train", f"{error}; run again to go on from the last checkpoint")
        raise KeyboardInterrupt from None
    finally:
        signal.signal(signal.SIGTERM, before)
        in_time.cancel()
