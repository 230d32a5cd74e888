"""Where the wall time of a worker goes: what it waits for, part by part."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

PARTS = ("data", "forward", "backward", "optimizer", "communication", "validation", "checkpoint")
"""Rows into tensors; the model forward; back; the step; what workers exchange meanwhile (`exchange.py`), and their wait
for each other; looks at the validation rows, and keeping what was best; checkpoints."""
ALL_COUNT = ("validation", "checkpoint")
"""They are not of every step, so each is waited for."""
EVERY = 20
"""On a GPU, whose work runs on beside the program, the parts of one step in so many are waited for, and count for
all."""


class Shares:
    """Seconds by part, of one worker."""

    def __init__(self, device: Any = "cpu") -> None:
        self.seconds = dict.fromkeys(PARTS, 0.0)
        self._gpu = "cuda" in str(device)
        self._weight = 1
        self._within = 0.0
        """Seconds of parts within the one that is open."""
        self._open: int | None = None
        """The weight of the part that is open; parts within it have the same."""

    def step(self, number: int) -> None:
        """A step begins."""
        self._weight = 1 if not self._gpu else EVERY if number % EVERY == 0 else 0

    @contextmanager
    def of(self, part: str) -> Iterator[None]:
        """The block is of this part, but for the parts within it."""
        outer, weight = self._open, self._open
        if weight is None:
            weight = 1 if part in ALL_COUNT else self._weight
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
