"""Format adherence, the proportion of well-formed answers. What counts as well-formed is defined in answers.py."""

from tasks.core.params.evaluation import Evaluation
from tasks.stages.evaluate.metrics.metric import Metric, MetricValues, ScoredRows, proportion_with_interval


def measure(rows: ScoredRows) -> MetricValues:
    return proportion_with_interval(rows, lambda _, said: said.well_formed)


def explain(settings: Evaluation) -> str:
    if settings.target == "json":
        return "the answer is a JSON object with exactly the fields of a training target"
    return "the answer is a label that training rows have"


METRIC = Metric(
    name="format_adherence",
    title="Format adherence",
    subject="well-formed answers",
    computation="share of well-formed answers",
    interval_kind="Wilson",
    explain=explain,
    measure=measure,
)
