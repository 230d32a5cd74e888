"""Rows of each optimizer step. They depend on seed, epoch and step, but not on the number of workers and passes.

The order `by_length` sorts the rows of a hundred steps by length, divides them into steps and shuffles the steps. This
order needs almost no padding, and only the rows of a hundred steps have to be in memory.
"""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import numpy.typing as npt

from tasks.core.params.training import Training
from tasks.stages.train.rows.examples import Examples
from tasks.stages.train.rows.shuffle import shuffled_numbers

Rows = npt.NDArray[np.int64]
STEPS_SORTED_TOGETHER = 100


@dataclass(frozen=True, eq=False)
class RowOrder:
    """Rows of every optimizer step.

    A checkpoint need not store the rows, because they can be computed from the fields.
    """

    examples: Examples
    training: Training

    @property
    def steps_per_epoch(self) -> int:
        return -(-self._training_count // self.training.global_batch_size)

    @property
    def _training_count(self) -> int:
        return len(self.examples) - len(self.examples.validation)

    @property
    def step_count(self) -> int:
        """Number of optimizer steps in the training run, at least 1."""
        return max(1, round(self.training.epochs * self.steps_per_epoch))

    def rows_of_step(self, number: int) -> Rows:
        """Return the rows of a step, counted from 0. The last step of an epoch may have fewer rows than the others."""
        epoch, place = divmod(number, self.steps_per_epoch)
        part, within = divmod(place, STEPS_SORTED_TOGETHER)
        return self._part(epoch, part)[within]

    @lru_cache(maxsize=2)  # noqa: B019 - an Order exists as long as its process
    def _part(self, epoch: int, part: int) -> list[Rows]:
        size, seed = self.training.global_batch_size, self.training.seed
        first = part * STEPS_SORTED_TOGETHER * size
        places = np.arange(first, min(first + STEPS_SORTED_TOGETHER * size, self._training_count))
        rows = self.examples.training_indices(shuffled_numbers(places, self._training_count, (seed, epoch)))
        if self.training.order == "by_length":
            rows = rows[np.argsort(self.examples.row_lengths(rows), kind="stable")]
        steps = [rows[start : start + size] for start in range(0, len(rows), size)]
        return [steps[place] for place in shuffled_numbers(np.arange(len(steps)), len(steps), (seed, epoch, part + 1))]
