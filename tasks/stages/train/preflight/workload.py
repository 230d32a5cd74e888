"""Rows, tokens and steps of a training run, counted from the rows of stage `tokenise`."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from tasks.core.params.training import Training
from tasks.stages.train import early_stopping
from tasks.stages.train.rows import examples, forward_passes, order

SAMPLED_STEPS = 50
"""Maximum number of steps that are sampled to count their forward passes."""


@dataclass(frozen=True)
class Workload:
    rows: int
    validation_rows: int
    """Number of validation rows, which are not trained on."""
    training_tokens: int
    """Number of tokens in all epochs, without padding."""
    validation_tokens: int
    """Number of tokens in the validation rows, over all validations."""
    steps: int
    passes_per_step: float
    """Mean number of forward passes of a worker in a step."""
    largest_pass_tokens: int
    """Number of tokens in the largest forward pass, including padding."""
    padding_share: float
    target_share: float
    """Fraction of the tokens that are targets, which the loss covers."""
    longest_row: int
    rows_too_long: int
    """Number of rows with more tokens than `training.max_length` or the model's context."""


def count_workload(folder: Path, training: Training, context: int | None) -> Workload:
    """Count the rows, tokens and steps of a training run.

    Args:
        folder: Output folder of stage `tokenise`.
        training: Parameters of the training run.
        context: Maximum number of tokens in a row of the model; None for no limit.
    """
    rows = examples.map_examples(folder)
    lengths = rows.row_lengths()
    most = min(training.max_length, context or training.max_length)
    steps = order.RowOrder(rows, training)
    validations = sum(early_stopping.is_validation_due(steps, number + 1) for number in range(steps.step_count))
    validation = int(rows.row_lengths(rows.validation).sum())
    drawn = [
        steps.rows_of_step(int(number))
        for number in np.linspace(0, steps.step_count - 1, min(SAMPLED_STEPS, steps.step_count))
    ]
    plans = [
        (rows.row_lengths(step), forward_passes.plan_passes(rows.row_lengths(step), training, training.workers))
        for step in drawn
    ]
    return Workload(
        rows=len(rows),
        validation_rows=len(rows.validation),
        training_tokens=round((int(lengths.sum()) - validation) * training.epochs),
        validation_tokens=validations * validation,
        steps=steps.step_count,
        passes_per_step=float(np.mean([plan.pass_count for _, plan in plans])),
        largest_pass_tokens=max(
            forward_passes.count_group_tokens(sizes, group, training.uses_packed_layout)
            for sizes, plan in plans
            for group in plan.groups
        ),
        padding_share=float(
            np.mean([forward_passes.padding_share(sizes, plan, training.uses_packed_layout) for sizes, plan in plans])
        ),
        target_share=float(rows.target_counts().sum() / lengths.sum()),
        longest_row=int(lengths.max()),
        rows_too_long=int((lengths > most).sum()),
    )
