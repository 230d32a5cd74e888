"""End of a training run on SIGTERM. The workers write a checkpoint first."""

import os
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import count
from types import FrameType

from tasks.core.errors import HallmarkError
from tasks.core.progress import print_progress
from tasks.stages.train import log_follower
from tasks.stages.train.job import Job

CHECKPOINT_SECONDS = 20.0
"""Maximum time in seconds for the current step and its checkpoint. Spot machines are taken away 30 seconds after the
notice. All processes that end a stage wait longer (`supervise/process.py`, `outputs/dvc.py`)."""


@contextmanager
def end_on_sigterm(job: Job) -> Iterator[None]:
    """Let the workers write a checkpoint on SIGTERM, and then raise KeyboardInterrupt in the block.

    The workers are notified by `Job.end_request_file` and have CHECKPOINT_SECONDS for the checkpoint. If this attempt
    has not completed a step, KeyboardInterrupt is raised immediately. Further signals have no effect, because several
    processes can send one.
    """
    turns, signals, late = count(), list[int](), threading.Event()

    def end() -> None:
        late.set()
        os.kill(os.getpid(), signal.SIGTERM)

    in_time = threading.Timer(CHECKPOINT_SECONDS, end)
    in_time.daemon = True

    def handle_sigterm(sign: int, _frame: FrameType | None) -> None:
        """Handle SIGTERM. No lock is used, because another signal can interrupt the handler."""
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

    before = signal.signal(signal.SIGTERM, handle_sigterm)
    try:
        yield
        if signals:  # the signal came after the last step, which has a checkpoint
            raise KeyboardInterrupt
    except HallmarkError as error:
        if not signals:
            raise
        print_progress("train", f"{error}; run again to go on from the last checkpoint")
        raise KeyboardInterrupt from None
    finally:
        signal.signal(signal.SIGTERM, before)
        in_time.cancel()
