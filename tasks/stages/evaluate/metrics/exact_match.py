"""Exact match, the share of right answers. Verdicts are based on it, so model_comparison.py computes its gains."""

from tasks.core.params.evaluation import Evaluation
from tasks.stages.evaluate.metrics.metric import Metric, MetricValues, ScoredRows, share_with_interval


def measure(rows: ScoredRows) -> MetricValues:
    return share_with_interval(rows, lambda _, said: said.right)


def explain(settings: Evaluation) -> str:
    if settings.target == "json":
        return "answer and target are equal as JSON objects"
    return "answer and label are equal but for space around them"


METRIC = Metric(
    name="exact_match",
    title="Exact match",
    about="right answers",
    computation="share of right answers",
    interval="Wilson",
    explain=explain,
    measure=measure,
)
