"""Macro-F1, the mean F1 over the expected labels, in which rare labels count as much as frequent ones."""

from collections.abc import Sequence
from functools import partial

import numpy as np

from tasks.core.params.evaluation import Evaluation
from tasks.stages.evaluate.metrics.metric import Metric, MetricValues, ScoredRows, values_with_bootstrap
from tasks.stages.evaluate.uncertainty import Array


def measure(rows: ScoredRows) -> MetricValues:
    truth = [example.label for example in rows.examples]
    answered = rows.values_by_model(lambda _, said: said.label)
    return values_with_bootstrap(rows, {which: partial(macro_f1, truth, labels) for which, labels in answered.items()})


def macro_f1(truth: Sequence[str], answered: Sequence[str], resample_counts: Array) -> Array:
    """Return the macro-F1 of each bootstrap sample, which is the mean F1 over the labels expected in the sample.

    An answer with a label that is never expected counts as an error, but its label does not become a class. Otherwise,
    the F1 of a model with arbitrary answers would be averaged over thousands of classes.

    Args:
        truth: Expected label of each row.
        answered: Label of the answer to each row.
        resample_counts: Resample counts of the rows in each sample (samples × rows). A row of ones gives the macro-F1
            of the original rows.
    """
    labels = np.array(sorted(set(truth)))
    expected = (np.array(truth)[:, None] == labels).astype(np.float32)
    predicted = (np.array(answered)[:, None] == labels).astype(np.float32)
    support, answers, hits = (
        resample_counts @ expected,
        resample_counts @ predicted,
        resample_counts @ (expected * predicted),
    )
    scores = (2 * hits / np.maximum(support + answers, 1)).astype(np.float64)  # 0 for a label that was not drawn
    return scores.sum(axis=1) / (support > 0).sum(axis=1)


def explain(settings: Evaluation) -> str:
    field = f" of the field {settings.label_field}" if settings.target == "json" else ""
    return f"mean F1{field} over the labels that the rows have"


METRIC = Metric(
    name="macro_f1",
    title="Macro-F1",
    subject="every label counts the same",
    computation="mean F1 over expected labels",
    interval_kind="bootstrap",
    explain=explain,
    measure=measure,
)
