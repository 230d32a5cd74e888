"""End of a training on SIGTERM: the workers write a checkpoint first."""

import os
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import count
from types import FrameType

from tasks.core.errors import HallmarkError
from tasks.core.progress import announce
from tasks.stages.train import log_follower
from tasks.stages.train.job import Job

CHECKPOINT_SECONDS = 20.0
"""Maximum number of seconds for the current step and its checkpoint. Spot machines are taken back 30 seconds after the
notice. Every process that ends a stage waits for longer (`supervise/process.py`, `outputs/dvc.py`)."""


@contextmanager
def on_sigterm(job: Job) -> Iterator[None]:
    """End the block by KeyboardInterrupt on SIGTERM, after the workers were asked to end by `Job.end_request_file`.

    They have CHECKPOINT_SECONDS to write a checkpoint. The block ends at once if this attempt has taken no step.
    Further signals have no effect, since several processes may send one.
    """
    turns, signals, late = count(), list[int](), threading.Event()

    def end() -> None:
        late.set()
        os.kill(os.getpid(), signal.SIGTERM)

    in_time = threading.Timer(CHECKPOINT_SECONDS, end)
    in_time.daemon = True

    def ask(sign: int, _frame: FrameType | None) -> None:
        """Handle SIGTERM without a lock, since another signal may interrupt the handler."""
        if late.is_set():
            raise KeyboardInterrupt
        if next(turns):
            return
        signals.append(sign)
        try:
            if not log_follower.has_taken_step(job.training_log):
                raise KeyboardInterrupt
            job.end_request_file.touch()
        except OSError:  # a full disk has no room for a checkpoint either
            raise KeyboardInterrupt from None
        in_time.start()

    before = signal.signal(signal.SIGTERM, ask)
    try:
        yield
        if signals:  # the signal came after the last step, which has a checkpoint
            raise KeyboardInterrupt
    except HallmarkError as error:
        if not signals:
            raise
        announce("train", f"{error}; run again to go on from the last checkpoint")
        raise KeyboardInterrupt from None
    finally:
        signal.signal(signal.SIGTERM, before)
        in_time.cancel()
