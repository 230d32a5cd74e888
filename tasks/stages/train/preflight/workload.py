"""Rows, tokens and steps of a training, from the rows as stage `tokenise` left them."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from tasks.core.params.training import Training
from tasks.stages.train import early_stopping
from tasks.stages.train.rows import examples, order, passes

SAMPLE = 50
"""Steps whose passes are counted."""


@dataclass(frozen=True)
class Workload:
    rows: int
    validation_rows: int
    """Of these, that no step learns from."""
    tokens: int
    """Of all epochs, padding not counted."""
    looked_at: int
    """Tokens of the validation rows, over all looks."""
    steps: int
    passes: float
    """Forward passes of a worker and step, on average."""
    largest: int
    """Tokens of the largest pass, padding included."""
    waste: float
    """Share of positions that hold no token."""
    target_share: float
    """Share of the tokens that the loss is on."""
    longest: int
    """Tokens of the longest row."""
    too_long: int
    """Rows above training.max_length, or above what the model reads."""


def of(folder: Path, training: Training, context: int | None) -> Workload:
    """`context`: tokens that the model reads at most; None where it states no limit."""
    rows = examples.read(folder)
    lengths = rows.lengths()
    most = min(training.max_length, context or training.max_length)
    steps = order.Order(rows, training)
    looks = sum(early_stopping.due(steps, number + 1) for number in range(steps.steps))
    validation = int(rows.lengths(rows.validation).sum())
    drawn = [steps.step(int(number)) for number in np.linspace(0, steps.steps - 1, min(SAMPLE, steps.steps))]
    plans = [(rows.lengths(step), passes.plan(rows.lengths(step), training, training.workers)) for step in drawn]
    return Workload(
        rows=len(rows),
        validation_rows=len(rows.validation),
        tokens=round((int(lengths.sum()) - validation) * training.epochs),
        looked_at=looks * validation,
        steps=steps.steps,
        passes=float(np.mean([plan.count for _, plan in plans])),
        largest=max(passes.size(sizes, group, training.packed) for sizes, plan in plans for group in plan.groups),
        waste=float(np.mean([passes.waste(sizes, plan, training.packed) for sizes, plan in plans])),
        target_share=float(rows.targets().sum() / lengths.sum()),
        longest=int(lengths.max()),
        too_long=int((lengths > most).sum()),
    )
