"""Rows, tokens and steps of a training run, counted from the rows of stage `tokenise`."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from tasks.core.params.training import Training
from tasks.stages.train import early_stopping
from tasks.stages.train.rows import examples, order, passes

SAMPLED_STEPS = 50
"""Number of sampled steps, whose forward passes are counted."""


@dataclass(frozen=True)
class Workload:
    rows: int
    validation_rows: int
    """Number of validation rows, which are not trained on."""
    tokens: int
    """Number of tokens in all epochs, without padding."""
    validation_tokens: int
    """Number of tokens in the validation rows, over all validations."""
    steps: int
    passes_per_step: float
    """Mean number of forward passes of a worker in a step."""
    largest_pass: int
    """Number of tokens in the largest forward pass, including padding."""
    padding_share: float
    target_share: float
    """Share of the tokens that are targets, which the loss covers."""
    longest_row: int
    rows_too_long: int
    """Number of rows with more tokens than `training.max_length` or the model's context."""


def of(folder: Path, training: Training, context: int | None) -> Workload:
    """Count the rows, tokens and steps of a training run.

    Args:
        folder: Output folder of stage `tokenise`.
        training: Parameters of the training run.
        context: Maximum number of tokens in a row of the model; None for no limit.
    """
    rows = examples.read(folder)
    lengths = rows.lengths()
    most = min(training.max_length, context or training.max_length)
    steps = order.Order(rows, training)
    validations = sum(early_stopping.validation_due(steps, number + 1) for number in range(steps.steps))
    validation = int(rows.lengths(rows.validation).sum())
    drawn = [steps.step(int(number)) for number in np.linspace(0, steps.steps - 1, min(SAMPLED_STEPS, steps.steps))]
    plans = [(rows.lengths(step), passes.plan(rows.lengths(step), training, training.workers)) for step in drawn]
    return Workload(
        rows=len(rows),
        validation_rows=len(rows.validation),
        tokens=round((int(lengths.sum()) - validation) * training.epochs),
        validation_tokens=validations * validation,
        steps=steps.steps,
        passes_per_step=float(np.mean([plan.count for _, plan in plans])),
        largest_pass=max(
            passes.group_tokens(sizes, group, training.packed) for sizes, plan in plans for group in plan.groups
        ),
        padding_share=float(np.mean([passes.padding_share(sizes, plan, training.packed) for sizes, plan in plans])),
        target_share=float(rows.targets().sum() / lengths.sum()),
        longest_row=int(lengths.max()),
        rows_too_long=int((lengths > most).sum()),
    )
