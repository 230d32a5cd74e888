"""Tensors of a forward pass, made from rows."""

from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Self

import numpy as np
import torch

from tasks.stages.train.rows.examples import Examples
from tasks.stages.train.rows.order import Rows

MIN_SHARED_TOKENS_SAVED = 100
"""Minimum number of tokens that a shared prefix has to save in a forward pass. With the default model, computing the
prefix separately costs about as much as this number of tokens."""


@dataclass(frozen=True)
class Batch:
    prefix: torch.Tensor
    """Tokens with which all sequences begin; often empty. Shape [shared], int64."""
    tokens: torch.Tensor
    """Tokens after the prefix. Shape [sequences, length], int64."""
    positions: torch.Tensor
    """Position of each token in its row. Shape [sequences, length], int64. Positions start after the prefix, and start
    again for each packed row. This keeps packed rows separate."""
    predicts_target: torch.Tensor
    """Whether the next token is part of a target. Shape [sequences, length], bool."""
    targets: torch.Tensor
    """Tokens of the targets, in the order of `predicts`. Shape [number of target tokens], int64."""

    def to(self, device: torch.device) -> Self:
        return type(self)(*(getattr(self, field.name).to(device) for field in fields(self)))


def collate(
    examples: Examples,
    rows: Sequence[int] | Rows,
    is_packed: bool = False,
    share_prefix: bool = False,
    min_tokens_saved: int = MIN_SHARED_TOKENS_SAVED,
) -> Batch:
    """Combine rows into one batch.

    Args:
        examples: All examples.
        rows: Indices of the rows. If there are none, the batch has one row without a target, because every worker has
            to take part in every forward pass.
        is_packed: Whether the rows are packed into one sequence.
        share_prefix: Whether the common prefix of the rows is computed separately. All workers have to pass the same
            value (see `all_share_prefix`), because ZeRO matches the communication of workers by its order.
        min_tokens_saved: Minimum number of tokens that the common prefix has to save.
    """
    chosen = list(rows) or [0]
    ids = {row: examples.row_tokens(row) for row in chosen}
    lines = [chosen] if is_packed else [[row] for row in chosen]
    shared = shared_prefix_length(examples, chosen, min_tokens_saved) if share_prefix and not is_packed else 0
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
            is_target[number, start + examples.target_starts[row] - shared : end] = len(rows) > 0
    # The token at j is predicted at j - 1. Padding needs no mask: it comes after every real token, and no token
    # attends to later ones.
    predicts = np.roll(is_target, -1, axis=1)
    prefix = ids[chosen[0]][:shared]
    return Batch(*(torch.from_numpy(part) for part in (prefix, tokens, positions, predicts, tokens[is_target])))


def all_share_prefix(
    examples: Examples, groups: Sequence[Rows], min_tokens_saved: int = MIN_SHARED_TOKENS_SAVED
) -> bool:
    return all(shared_prefix_length(examples, group, min_tokens_saved) > 0 for group in groups)


def shared_prefix_length(
    examples: Examples, rows: Sequence[int] | Rows, min_tokens_saved: int = MIN_SHARED_TOKENS_SAVED
) -> int:
    """Return the number of tokens with which all rows begin, without targets; 0 if sharing them saves too little.

    The last token before a target stays in its row, because it predicts the target's first token.
    """
    if len(rows) < 2:
        return 0
    longest = min(int(examples.target_starts[row]) for row in rows) - 1
    begins = np.stack([examples.row_tokens(row)[:longest] for row in rows])
    differs = np.flatnonzero((begins != begins[0]).any(axis=0))
    shared = int(differs[0]) if len(differs) else longest
    return shared if shared * (len(rows) - 1) >= min_tokens_saved else 0
