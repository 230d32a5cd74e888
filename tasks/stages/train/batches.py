"""Which rows stand in which optimizer step, forward pass and worker, and as which tensors.

The rows of a step depend on the seed and on rows per step alone (batch_size x gradient_accumulation x workers), so
one large worker and many small ones take the same steps.

`grouped` sorts rows by length, cuts them into steps and shuffles the steps: hardly any padding. `packed` shuffles
rows and puts those of a forward pass end to end into one sequence: no padding at all.
"""

from collections.abc import Sequence
from dataclasses import dataclass, fields
from functools import lru_cache

import numpy as np
import numpy.typing as npt
import torch

from tasks.core.params.training import Training
from tasks.stages.train.examples import Examples

Rows = npt.NDArray[np.int64]
"""Indices of examples."""
WORTH_SHARING = 100
"""Tokens that a shared prefix must save in a forward pass: a pass of its own costs the default model as much."""


@dataclass(frozen=True)
class Order:
    """The rows of every step. A function of its fields: nothing to save for a resume."""

    lengths: tuple[int, ...]
    training: Training

    @property
    def rows_per_step(self) -> int:
        training = self.training
        return training.batch_size * training.gradient_accumulation * training.workers

    @property
    def steps_per_epoch(self) -> int:
        return -(-len(self.lengths) // self.rows_per_step)

    @property
    def steps(self) -> int:
        """Optimizer steps in all; at least one."""
        return max(1, round(self.training.epochs * self.steps_per_epoch))

    def step(self, number: int) -> Rows:
        """The rows of step `number`, from 0, over all workers and forward passes."""
        epoch, place = divmod(number, self.steps_per_epoch)
        return self.epoch(epoch)[place]

    @lru_cache(maxsize=2)  # noqa: B019 - an Order lives as long as its process
    def epoch(self, number: int) -> list[Rows]:
        """The rows of each step of an epoch, shuffled by seed and epoch."""
        random = np.random.default_rng([self.training.seed, number])
        order = random.permutation(len(self.lengths))
        if self.training.batching == "grouped":
            order = order[np.argsort(np.array(self.lengths)[order], kind="stable")]
        steps = [order[start : start + self.rows_per_step] for start in range(0, len(order), self.rows_per_step)]
        return [steps[place] for place in random.permutation(len(steps))]

    def share(self, number: int, forward: int, rank: int) -> Rows:
        """The rows of one worker's forward pass; empty where a short last step has none left for it."""
        size = self.training.batch_size
        start = (forward * self.training.workers + rank) * size
        return self.step(number)[start : start + size]


@dataclass(frozen=True)
class Batch:
    """Tensors of one forward pass over [sequences, length] tokens."""

    prefix: torch.Tensor
    """[shared] int64: tokens that every sequence begins with and `tokens` leaves out; often none."""
    tokens: torch.Tensor
    """[sequences, length] int64."""
    positions: torch.Tensor
    """[sequences, length] int64, from `shared`; they restart with each packed row, which isolates it from the rest."""
    predicts: torch.Tensor
    """[sequences, length] bool: where the next token is part of a target."""
    targets: torch.Tensor
    """[predicts.sum()] int64: those next tokens, in the order of `predicts`."""

    def to(self, device: torch.device) -> "Batch":
        return Batch(*(getattr(self, field.name).to(device) for field in fields(self)))


def collate(examples: Examples, rows: Sequence[int] | Rows, training: Training, share: bool = False) -> Batch:
    """Lay out rows as one batch; `share` takes out the prefix that they have in common, where that pays.

    No rows give one row without a target, since every worker must take part in every pass. ZeRO pairs the workers'
    communication by its order, so they must compute alike: `share` only where `all_share`.
    """
    chosen = list(rows) or [0]
    packed = training.batching == "packed"
    lines = [chosen] if packed else [[row] for row in chosen]
    shared = shared_prefix(examples, chosen) if share and not packed else 0
    width = max(sum(len(examples.row(row)) for row in line) for line in lines) - shared
    tokens = np.zeros((len(lines), width), dtype=np.int64)
    positions = np.tile(np.arange(shared, shared + width), (len(lines), 1))
    is_target = np.zeros((len(lines), width), dtype=bool)
    for number, line in enumerate(lines):
        end = 0
        for row in line:
            start, ids = end, examples.row(row)[shared:]
            end = start + len(ids)
            tokens[number, start:end] = ids
            positions[number, start:end] = np.arange(shared, shared + len(ids))
            is_target[number, start + examples.starts[row] - shared : end] = len(rows) > 0
    # The token at j is predicted at j - 1. Nothing masks padding: it stands behind every real token, and attention
    # looks back only.
    predicts = np.roll(is_target, -1, axis=1)
    prefix = examples.row(chosen[0])[:shared].astype(np.int64)
    return Batch(*(torch.from_numpy(part) for part in (prefix, tokens, positions, predicts, tokens[is_target])))


def all_share(examples: Examples, order: Order, number: int, forward: int) -> bool:
    """Whether every worker's rows of this forward pass have a prefix worth sharing."""
    parts = (order.share(number, forward, rank) for rank in range(order.training.workers))
    return all(shared_prefix(examples, part) > 0 for part in parts)


def shared_prefix(examples: Examples, rows: Sequence[int] | Rows) -> int:
    """Tokens at the start that all rows have in common, before any target; 0 where sharing them would not pay.

    The last token before a target stays in each row, because the target's first token is predicted there.
    """
    if len(rows) < 2:
        return 0
    longest = min(int(examples.starts[row]) for row in rows) - 1
    begins = np.stack([examples.row(row)[:longest] for row in rows])
    differs = np.flatnonzero((begins != begins[0]).any(axis=0))
    shared = int(differs[0]) if len(differs) else longest
    return shared if shared * (len(rows) - 1) >= WORTH_SHARING else 0
