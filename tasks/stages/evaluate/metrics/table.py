"""List of all metrics, including those that compare two models, in the order in which they are shown."""

from tasks.stages.evaluate.metrics import (
    exact_match,
    format_adherence,
    gain_over,
    macro_f1,
    mcnemar_p,
    smallest_detectable,
)
from tasks.stages.evaluate.metrics.comparison_fact import ComparisonFact
from tasks.stages.evaluate.metrics.metric import Metric

METRICS: tuple[Metric, ...] = (
    exact_match.METRIC,
    macro_f1.METRIC,
    format_adherence.METRIC,
)

COMPARISONS: tuple[ComparisonFact, ...] = (
    gain_over.FACT,
    mcnemar_p.FACT,
    smallest_detectable.FACT,
)
