"""A step whose loss is no number, or leapt."""

import statistics
from typing import Any

from tasks.stages.train import builders
from tasks.stages.train.recovery.attempts import Diverged
from tasks.stages.train.rows.order import Order, Rows

RECENT = 50
"""Steps whose median loss another is compared with."""
LEAST_STEPS, LEAST_LOSS = 10, 0.01
"""Steps before anything can leap, and a loss below which nothing is told apart."""
NAMED = 16
"""Rows of a step that are told."""


def require_sane(point: dict[str, Any], curve: list[dict[str, Any]], order: Order) -> None:
    """Raises Diverged where the loss leapt: before the step counts, and so before a checkpoint holds it."""
    factor, before = order.training.divergence_factor, [it["loss"] for it in curve[-RECENT:] if it["targets"]]
    usual = max(LEAST_LOSS, statistics.median(before)) if len(before) >= LEAST_STEPS else None
    if factor and usual and point["loss"] > factor * usual:
        number = point["step"] - 1
        raise diverged(number, f"is {point['loss']}, {point['loss'] / usual:.1f} times the usual", order.step(number))


def diverged(number: int, what: str, rows: Rows) -> Diverged:
    named = ", ".join(str(int(row) + 1) for row in rows[:NAMED]) + (", …" if len(rows) > NAMED else "")
    return Diverged(
        f"training diverged: the loss of step {number + 1} {what}, over rows {named}; lower training.learning_rate, "
        "look at these rows, or allow some such steps with training.max_skipped_steps",
        number,
    )


def left_out(order: Order, number: int, curve: list[dict[str, Any]]) -> dict[str, Any]:
    """The record of a step that is not taken: no tokens, and the loss of the step before."""
    rate, loss = builders.learning_rate(order.training, number, order.steps), curve[-1]["loss"] if curve else 0.0
    return {"step": number + 1, "loss": loss, "lr": rate, "grad_norm": 0.0, "tokens": 0, "targets": 0}
