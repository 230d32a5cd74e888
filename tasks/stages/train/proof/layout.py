"""The first pass as it is really computed, against its rows one at a time, and against rows that it must not see."""

import math
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from torch import distributed

from tasks.core.errors import InputError, Refused
from tasks.core.params.training import Training
from tasks.stages.train.rows.batches import Batch, collate
from tasks.stages.train.rows.examples import Examples
from tasks.stages.train.rows.order import Rows

ALONE = 4
"""Rows of a pass that are also computed one at a time."""
NEAR = {"fp32": 1e-3, "bf16": 0.03}
"""Of a loss: how far rounding takes two ways to compute it apart, at most."""


@torch.no_grad()
def prove(engine: Any, examples: Examples, rows: Rows, training: Training, share: bool) -> None:
    """Check the first pass over `rows`, this worker's. Every worker calls it, since ZeRO 3 computes with all of them.

    Raises Refused where the loss is not that of the rows alone, or where a packed row sees another."""
    rows = rows[:ALONE]
    laid = collate(examples, rows, training.packed, share).to(engine.device)
    engine.eval()  # without dropout two ways to compute the same agree
    together = float(engine(laid))
    alone = sum(_alone(engine.module.model, examples, row, engine.device) for row in _padded(rows))
    seen = _seen(engine, laid, examples, rows) if training.packed else 0.0
    engine.train()
    if not math.isfinite(alone):
        raise InputError(
            f"the base model's own loss over rows {_named(rows)} is {alone}, before anything is trained; check its "
            "weights, or set training.precision to fp32"
        )
    near = NEAR[training.precision] * max(1.0, abs(alone))
    wrong = len(rows) > 0 and not abs(together - alone) <= near
    _tell_all(
        wrong,
        f"the loss over rows {_named(rows)} is {together:.4f} together and {alone:.4f} one at a time; a mask, a "
        "position or a label is wrong. Set training.layout to padded and training.attention to eager, and report it",
        engine,
    )
    _tell_all(
        seen != 0,
        f"the packed row {_named(rows[1:2])} sees the row before it (its loss changes by {seen:.4g} with that row's "
        f"tokens): attention {engine.module.attention or 'auto'} does not keep packed rows apart on this device. Set "
        "training.layout to padded",
        engine,
    )


def _named(rows: Rows) -> str:
    return ", ".join(str(int(row) + 1) for row in rows)


def _padded(rows: Rows) -> list[int]:
    """As many rows on every worker; -1 where this one has none left."""
    return [*map(int, rows), *[-1] * (ALONE - len(rows))]


def _alone(model: Any, examples: Examples, row: int, device: Any) -> float:
    """The summed loss of one row, by transformers' own loss and attention, with labels made here."""
    tokens = torch.from_numpy(examples.row(max(row, 0)))[None].to(device)
    labels = tokens.clone()
    labels[0, : int(examples.starts[max(row, 0)])] = -100
    loss = model(input_ids=tokens, labels=labels, use_cache=False).loss
    return float(loss) * int((labels != -100).sum()) if row >= 0 else 0.0


def _seen(engine: Any, laid: Batch, examples: Examples, rows: Rows) -> float:
    """By how much the second row's loss changes with the tokens of the first; exactly 0 where it is kept apart."""
    first = len(examples.row(int(rows[0]))) if len(rows) else 0
    second = first + (len(examples.row(int(rows[1]))) if len(rows) > 1 else 0)
    places = torch.arange(laid.tokens.shape[1], device=laid.tokens.device)[None]
    predicts = laid.predicts & (places >= first) & (places < second - 1)
    only = replace(laid, predicts=predicts, targets=laid.tokens.roll(-1)[predicts])
    others = torch.where(places < first, _other(laid.tokens), laid.tokens)
    before, after = float(engine(only)), float(engine(replace(only, tokens=others)))
    return after - before if len(rows) > 1 else 0.0


def _other(tokens: torch.Tensor) -> torch.Tensor:
    """Tokens of the same batch at other places."""
    random = np.random.default_rng(0).permutation(tokens.shape[1])
    return tokens[:, torch.from_numpy(random).to(tokens.device)]


def _tell_all(wrong: bool, words: str, engine: Any) -> None:
    """Stop every worker where one found something wrong: the others would wait for it."""
    found = torch.tensor(float(wrong), device=engine.device)
    if distributed.get_world_size() > 1:
        distributed.all_reduce(found)
    if wrong:
        raise Refused(words)
    if found > 0:
        raise Refused("another worker found the first pass to be wrong; see its message")
