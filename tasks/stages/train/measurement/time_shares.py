"""Wall time of a worker, divided into the parts of a training run."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

PARTS = ("data", "forward", "backward", "optimizer", "communication", "validation", "checkpoint")
"""Parts of the wall time. `data`: conversion of rows into tensors. `forward`, `backward`, `optimizer`: the parts of a
step. `communication`: exchange between workers (`communication.py`), and waits for other workers. `validation`:
validations, and the export of the best weights. `checkpoint`: writing of checkpoints."""
ALWAYS_MEASURED = ("validation", "checkpoint")
"""Parts that do not occur in every step and are therefore measured each time."""
MEASURED_EVERY = 20
"""Interval, in steps, at which parts are measured on a GPU; the measured times are multiplied by it. A GPU works
asynchronously, so each measurement has to wait until the GPU is idle."""


class TimeShares:
    def __init__(self, device: Any = "cpu") -> None:
        self.seconds = dict.fromkeys(PARTS, 0.0)
        self._gpu = "cuda" in str(device)
        self._weight = 1
        self._within = 0.0
        """Seconds of the parts that were nested in the open one."""
        self._open: int | None = None
        """Factor for the time of the open part, which nested parts share; None if no part is open."""

    def begin_step(self, number: int) -> None:
        self._weight = 1 if not self._gpu else MEASURED_EVERY if number % MEASURED_EVERY == 0 else 0

    @contextmanager
    def measure(self, part: str) -> Iterator[None]:
        outer, weight = self._open, self._open
        if weight is None:
            weight = 1 if part in ALWAYS_MEASURED else self._weight
        if not weight:
            yield
            return
        before, self._within, self._open, began = self._within, 0.0, weight, self._now()
        yield
        took = self._now() - began
        self.seconds[part] += (took - self._within) * weight
        self._within, self._open = before + took, outer

    def _now(self) -> float:
        if self._gpu:
            import torch

            torch.cuda.synchronize()
        return time.perf_counter()
