"""Wall time of a worker, divided into the parts of a training run."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

TIME_PARTS = ("data", "forward", "backward", "optimizer", "communication", "validation", "checkpoint")
"""Parts of the wall time. `data` is the conversion of rows into tensors. `forward`, `backward` and `optimizer` are the
parts of a step. `communication` is the exchange between workers (`communication.py`) and the wait for other workers.
`validation` includes the export of the best weights. `checkpoint` is the writing of checkpoints."""
ALWAYS_MEASURED = ("validation", "checkpoint")
"""Parts that do not occur in every step. They are measured whenever they occur. On a GPU other parts are sampled."""
GPU_MEASUREMENT_INTERVAL = 20
"""Interval in steps at which parts are measured on a GPU. The measured times are multiplied by it. Measuring every step
would slow training down, because each measurement waits until the GPU is idle."""


class PartTimer:
    def __init__(self, device: Any = "cpu") -> None:
        self.seconds = dict.fromkeys(TIME_PARTS, 0.0)
        self._gpu = "cuda" in str(device)
        self._weight = 1
        self._nested_seconds = 0.0
        """Duration in seconds of the parts that were nested in the open part."""
        self._open_factor: int | None = None
        """Factor by which the times of the open part and its nested parts are multiplied; None if no part is open."""

    def begin_step(self, number: int) -> None:
        self._weight = 1 if not self._gpu else GPU_MEASUREMENT_INTERVAL if number % GPU_MEASUREMENT_INTERVAL == 0 else 0

    @contextmanager
    def measure(self, part: str) -> Iterator[None]:
        outer, weight = self._open_factor, self._open_factor
        if weight is None:
            weight = 1 if part in ALWAYS_MEASURED else self._weight
        if not weight:
            yield
            return
        before, self._nested_seconds, self._open_factor, began = self._nested_seconds, 0.0, weight, self._now()
        yield
        took = self._now() - began
        self.seconds[part] += (took - self._nested_seconds) * weight
        self._nested_seconds, self._open_factor = before + took, outer

    def _now(self) -> float:
        if self._gpu:
            import torch

            torch.cuda.synchronize()
        return time.perf_counter()
