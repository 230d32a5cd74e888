"""Detection of steps whose loss is not finite or has jumped."""

import statistics
from typing import Any

from tasks.stages.train.model import builders
from tasks.stages.train.recovery.attempts import Diverged
from tasks.stages.train.rows.order import RowOrder, Rows

RECENT_STEPS = 50
"""Number of recent steps whose median loss is compared with the loss of a step."""
MIN_COMPARED_STEPS, MIN_COMPARED_LOSS = 10, 0.01
"""Number of steps before the first comparison, and loss below which losses are considered equal."""
ROWS_SHOWN = 16


def require_no_loss_jump(point: dict[str, Any], curve: list[dict[str, Any]], order: RowOrder) -> None:
    """Verify that the loss of a step has not jumped. This is done before a checkpoint can contain the step.

    Raises:
        Diverged: The loss has jumped.
    """
    factor, before = order.training.divergence_factor, [it["loss"] for it in curve[-RECENT_STEPS:] if it["targets"]]
    usual = max(MIN_COMPARED_LOSS, statistics.median(before)) if len(before) >= MIN_COMPARED_STEPS else None
    if factor and usual and point["loss"] > factor * usual:
        number = point["step"] - 1
        raise divergence_error(
            number, f"is {point['loss']}, {point['loss'] / usual:.1f} times the usual", order.rows_of_step(number)
        )


def divergence_error(number: int, description: str, rows: Rows) -> Diverged:
    named = ", ".join(str(int(row) + 1) for row in rows[:ROWS_SHOWN]) + (", …" if len(rows) > ROWS_SHOWN else "")
    return Diverged(
        f"training diverged: the loss of step {number + 1} {description}, over rows {named}; lower "
        "training.learning_rate, look at these rows, or allow some such steps with training.max_skipped_steps",
        number,
    )


def skipped_step_point(order: RowOrder, number: int, curve: list[dict[str, Any]]) -> dict[str, Any]:
    """Return the log entry of a skipped step, which has no tokens and the loss of the previous step."""
    rate, loss = builders.learning_rate(order.training, number, order.step_count), curve[-1]["loss"] if curve else 0.0
    return {"step": number + 1, "loss": loss, "lr": rate, "grad_norm": 0.0, "tokens": 0, "targets": 0}
