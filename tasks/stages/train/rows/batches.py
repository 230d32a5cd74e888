"""The rows of one forward pass as tensors."""

from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Self

import numpy as np
import torch

from tasks.stages.train.rows.examples import Examples
from tasks.stages.train.rows.order import Rows

WORTH_SHARING = 100
"""Tokens that a shared prefix must save in a forward pass: a pass of its own costs the default model as much."""


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

    def to(self, device: torch.device) -> Self:
        return type(self)(*(getattr(self, field.name).to(device) for field in fields(self)))


def collate(
    examples: Examples,
    rows: Sequence[int] | Rows,
    packed: bool = False,
    share: bool = False,
    worth: int = WORTH_SHARING,
) -> Batch:
    """Lay out rows as one batch; `share` takes out the prefix that they have in common, where that pays.

    No rows give one row without a target, since every worker must take part in every pass. ZeRO pairs the workers'
    communication by its order, so they must compute alike: `share` only where `all_share`.
    """
    chosen = list(rows) or [0]
    ids = {row: examples.row(row) for row in chosen}
    lines = [chosen] if packed else [[row] for row in chosen]
    shared = shared_prefix(examples, chosen, worth) if share and not packed else 0
    width = max(sum(len(ids[row]) for row in line) for line in lines) - shared
    tokens = np.zeros((len(lines), width), dtype=np.int64)
    positions = np.tile(np.arange(shared, shared + width), (len(lines), 1))
    is_target = np.zeros((len(lines), width), dtype=bool)
    for number, line in enumerate(lines):
        end = 0
        for row in line:
            start, own = end, ids[row][shared:]
            end = start + len(own)
            tokens[number, start:end] = own
            positions[number, start:end] = np.arange(shared, shared + len(own))
            is_target[number, start + examples.starts[row] - shared : end] = len(rows) > 0
    # The token at j is predicted at j - 1. Nothing masks padding: it stands behind every real token, and attention
    # looks back only.
    predicts = np.roll(is_target, -1, axis=1)
    prefix = ids[chosen[0]][:shared]
    return Batch(*(torch.from_numpy(part) for part in (prefix, tokens, positions, predicts, tokens[is_target])))


def all_share(examples: Examples, groups: Sequence[Rows], worth: int = WORTH_SHARING) -> bool:
    """Whether every worker's rows of a forward pass have a prefix worth sharing."""
    return all(shared_prefix(examples, group, worth) > 0 for group in groups)


def shared_prefix(examples: Examples, rows: Sequence[int] | Rows, worth: int = WORTH_SHARING) -> int:
    """Tokens at the start that all rows have in common, before any target; 0 where sharing them would not pay.

    The last token before a target stays in each row, because the target's first token is predicted there.
    """
    if len(rows) < 2:
        return 0
    longest = min(int(examples.starts[row]) for row in rows) - 1
    begins = np.stack([examples.row(row)[:longest] for row in rows])
    differs = np.flatnonzero((begins != begins[0]).any(axis=0))
    shared = int(differs[0]) if len(differs) else longest
    return shared if shared * (len(rows) - 1) >= worth else 0
