"""Loss over the validation rows, computed by all workers together."""

from collections.abc import Callable
from typing import Any

import torch
from torch import distributed

from tasks.stages.train.model.target_loss import can_share_prefix
from tasks.stages.train.rows import forward_passes
from tasks.stages.train.rows.batches import all_share_prefix, collate
from tasks.stages.train.rows.order import RowOrder

ROWS_AT_ONCE = 1_000


@torch.no_grad()
def compute_validation_loss(engine: Any, order: RowOrder, on_pass_done: Callable[[], object]) -> float:
    """Return the mean loss per target token of the validation rows, without dropout. It is the same on every worker.

    Rows of similar length share a forward pass, and losses are summed in double precision. The numbers of workers and
    passes therefore change the result only by rounding.

    Args:
        engine: DeepSpeed engine with the model.
        order: Rows of each step, and the validation rows.
        on_pass_done: Function that is called after each forward pass, so that the watchdog does not end the worker.
    """
    examples, training, together = order.examples, order.training, engine.module.together
    rows = examples.validation[examples.row_lengths(examples.validation).argsort(kind="stable")]
    total, targets = torch.zeros((), dtype=torch.float64, device=engine.device), int(examples.target_counts(rows).sum())
    share = can_share_prefix(engine.module, training)
    engine.eval()
    for begin in range(0, len(rows), ROWS_AT_ONCE):
        some = rows[begin : begin + ROWS_AT_ONCE]
        plan = forward_passes.plan_passes(examples.row_lengths(some), training, distributed.get_world_size())
        for forward in range(plan.pass_count):
            groups = [some[group] for group in plan.groups_of_pass(forward)]
            own, shared = groups[together.group_index], share and all_share_prefix(examples, groups)
            total += engine(
                together.own_part(collate(examples, own, training.uses_packed_layout, shared)).to(engine.device)
            )
            on_pass_done()
    engine.train()
    distributed.all_reduce(total)
    return round(float(total) / targets, 6)
