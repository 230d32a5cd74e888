"""Exact match, the proportion of correct answers.

Verdicts are based on exact match. The candidate's gains in it are therefore computed in model_comparison.py.
"""

from tasks.core.params.evaluation import Evaluation
from tasks.stages.evaluate.metrics.metric import Metric, MetricValues, ScoredRows, proportion_with_interval


def measure_exact_match(rows: ScoredRows) -> MetricValues:
    return proportion_with_interval(rows, lambda _, said: said.right)


def explain(settings: Evaluation) -> str:
    if settings.target == "json":
        return "answer and target are equal as JSON objects"
    return "answer and label are equal but for space around them"


METRIC = Metric(
    name="exact_match",
    title="Exact match",
    subject="right answers",
    computation="share of right answers",
    interval_kind="Wilson",
    explain=explain,
    measure=measure_exact_match,
)
