"""Verification of a forward pass: its loss must equal that of single rows, and packed rows must be separate."""

import math
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from torch import distributed

from tasks.core.errors import InputError, Refused
from tasks.core.params.training import Training
from tasks.stages.train.rows.batches import Batch, all_share_prefix, collate
from tasks.stages.train.rows.examples import Examples
from tasks.stages.train.rows.order import Rows

SEARCHED_STEPS = 20
"""Number of steps that are searched for a forward pass with many rows."""
MAX_SINGLE_ROWS = 4
"""Maximum number of rows in a forward pass that are also computed separately. The shortest rows are used, because they
need the least memory."""
LOSS_TOLERANCE = {"fp32": 1e-3, "bf16": 0.03}
"""Maximum relative difference between two computations of a row's loss, by precision. Larger differences are not due to
rounding."""

REMEDIES = {
    False: "Set training.layout to padded and training.attention to eager",
    True: "Set training.sequence_parallel to 1",
}


@torch.no_grad()
def verify_forward_pass(
    engine: Any, examples: Examples, groups: list[Rows], training: Training, share_prefix: bool
) -> None:
    """Verify a forward pass.

    Every worker has to call this function, because ZeRO 3 computes with all of them.

    Args:
        engine: DeepSpeed engine with the model.
        examples: Tokens of all rows.
        groups: Groups of rows, each computed by one worker or by several workers together.
        training: Parameters of the training run.
        share_prefix: Whether the rows share their common prefix.

    Raises:
        Refused: The loss of a row differs from its loss when computed separately, or a packed row attends to another
            row.
        InputError: The base model's loss is not finite.
    """
    groups = [_shortest(examples, group) for group in groups]
    rows = groups[engine.module.together.group_index]
    share_prefix = share_prefix and all_share_prefix(
        examples, groups, min_tokens_saved=1
    )  # even if it saves little, so that it is verified
    laid = collate(examples, rows, training.uses_packed_layout, share_prefix, min_tokens_saved=1).to(engine.device)
    engine.eval()  # without dropout, both computations have the same result
    wrong = ""
    for place in range(MAX_SINGLE_ROWS):
        row = int(rows[place]) if place < len(rows) else -1
        together = _loss(engine, _with_loss_on_row(laid, examples, rows, place, training.uses_packed_layout))
        alone = _loss_of_row_alone(engine.module.model, examples, row, engine.device)
        if row >= 0 and not math.isfinite(alone):
            raise InputError(
                f"the base model's own loss over row {row + 1} is {alone}, before anything is trained; check its "
                "weights, or set training.precision to fp32"
            )
        if row >= 0 and not abs(together - alone) <= LOSS_TOLERANCE[training.precision] * max(1.0, abs(alone)):
            wrong = wrong or (
                f"the loss of row {row + 1} is {together:.4f} among others and {alone:.4f} alone; a mask, a position "
                f"or a label is wrong. {REMEDIES[training.sequence_parallel > 1]}, and report it"
            )
    seen = _influence_of_first_row(engine, laid, examples, rows) if training.uses_packed_layout else 0.0
    engine.train()
    if not wrong and abs(seen) > (LOSS_TOLERANCE[training.precision] if _has_experts(engine.module.model) else 0):
        wrong = (
            f"the packed row {int(rows[1]) + 1} sees the row before it (its loss changes by {seen:.4g} with that row's "
            f"tokens): attention {engine.module.attention or 'auto'} does not keep packed rows apart on this device. "
            "Set training.layout to padded"
        )
    _raise_on_all_workers(wrong, engine)


def _loss(engine: Any, batch: Batch) -> float:
    together = engine.module.together
    return float(together.total_loss(engine(together.own_part(batch))))


def _shortest(examples: Examples, group: Rows) -> Rows:
    return np.asarray(group[np.argsort(examples.row_lengths(group), kind="stable")][:MAX_SINGLE_ROWS])


def _with_loss_on_row(batch: Batch, examples: Examples, rows: Rows, place: int, packed: bool) -> Batch:
    only = torch.zeros_like(batch.predicts_target)
    if place < len(rows):
        before = int(examples.row_lengths(rows[:place]).sum()) if packed else 0
        line, end = (0, before + len(examples.row_tokens(int(rows[place])))) if packed else (place, only.shape[1])
        only[line, before:end] = batch.predicts_target[line, before:end]
    return replace(batch, predicts_target=only, targets=batch.tokens.roll(-1, dims=1)[only])


def _loss_of_row_alone(model: Any, examples: Examples, row: int, device: Any) -> float:
    tokens = torch.from_numpy(examples.row_tokens(max(row, 0)))[None].to(device)
    labels = tokens.clone()
    labels[0, : int(examples.target_starts[max(row, 0)])] = -100
    with torch.compiler.set_stance("force_eager"):  # by PyTorch, even if kernels are compiled
        loss = model(input_ids=tokens, labels=labels, use_cache=False).loss
    return float(loss) * int((labels != -100).sum()) if row >= 0 else 0.0


def _influence_of_first_row(engine: Any, batch: Batch, examples: Examples, rows: Rows) -> float:
    only = _with_loss_on_row(batch, examples, rows, 1, packed=True)
    places = torch.arange(batch.tokens.shape[1], device=batch.tokens.device)[None]
    first = len(examples.row_tokens(int(rows[0]))) if len(rows) else 0
    others = torch.where(places < first, _permuted_tokens(batch.tokens), batch.tokens)
    before, after = _loss(engine, only), _loss(engine, replace(only, tokens=others))
    return after - before if len(rows) > 1 else 0.0


def _has_experts(model: Any) -> bool:
    """Return whether the model is a mixture of experts.

    Experts compute tokens of several rows together, which rounds them differently.
    """
    return any(getattr(model.config, name, None) for name in ("num_experts", "num_local_experts", "n_routed_experts"))


def _permuted_tokens(tokens: torch.Tensor) -> torch.Tensor:
    random = np.random.default_rng(0).permutation(tokens.shape[1])
    return tokens[:, torch.from_numpy(random).to(tokens.device)]


def _raise_on_all_workers(message: str, engine: Any) -> None:
    """Raise Refused on all workers if one of them has found an error.

    The others would otherwise wait for that worker.
    """
    found = torch.tensor(float(bool(message)), device=engine.device)
    if distributed.get_world_size() > 1:
        distributed.all_reduce(found)
    if message:
        raise Refused(message)
    if found > 0:
        raise Refused("another worker found a pass to be wrong; see its message")
