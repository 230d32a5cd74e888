"""Definition of a metric, and computations that several metrics use."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TypeVar

from tasks.core.params.evaluation import Evaluation
from tasks.stages.evaluate import uncertainty
from tasks.stages.evaluate.judged_rows import JudgedAnswer, JudgedRow
from tasks.stages.evaluate.metrics_schema import MetricDescription
from tasks.stages.evaluate.model_names import MODELS, ModelName
from tasks.stages.evaluate.uncertainty import Array, Interval

Value = TypeVar("Value")


@dataclass(frozen=True)
class ScoredRows:
    """Rows over which a metric is computed. There is always at least one row."""

    examples: Sequence[JudgedRow]
    settings: Evaluation

    @property
    def models(self) -> list[ModelName]:
        """Return the models that answered every row."""
        return [which for which in MODELS if all(which in example.said for example in self.examples)]

    def values_by_model(self, value: Callable[[JudgedRow, JudgedAnswer], Value]) -> dict[ModelName, list[Value]]:
        return {which: [value(example, example.said[which]) for example in self.examples] for which in self.models}


@dataclass(frozen=True)
class MetricValues:
    scores: Mapping[ModelName, Interval]
    """Value of the metric for every model that answered all rows."""
    gains: Mapping[ModelName, Interval] = field(default_factory=dict)
    """Candidate's value minus each other model's value, with a paired interval; empty if the metric computes no
    gains."""


@dataclass(frozen=True)
class Metric:
    name: str
    """Name in metrics.json, in lower case with underscores. Gates use the name `evaluate.NAME`."""
    title: str
    subject: str
    """Subject of the metric in two or three words, shown next to the title."""
    computation: str
    """Short description of the computation, for people who decide at a gate."""
    interval_kind: str
    """Kind of confidence interval, for example Wilson or bootstrap."""
    explain: Callable[[Evaluation], str]
    """Function that returns the sentence which explains the metric in the report's section on methods."""
    measure: Callable[[ScoredRows], MetricValues]
    unit: str = ""
    """Unit, for example characters; empty for a proportion from 0 to 1, which pages show as a percentage."""

    def description(self, settings: Evaluation) -> MetricDescription:
        return MetricDescription(
            name=self.name,
            title=self.title,
            about=self.subject,
            unit=self.unit,
            note=f"{self.computation}; {self.interval_kind} interval",
            interval=self.interval_kind,
            explanation=self.explain(settings),
        )


def proportion_with_interval(rows: ScoredRows, is_counted: Callable[[JudgedRow, JudgedAnswer], bool]) -> MetricValues:
    """Return each model's proportion of answers for which `is_counted` is true, with a Wilson interval."""
    of, confidence = len(rows.examples), rows.settings.confidence
    hits = rows.values_by_model(is_counted)
    return MetricValues(
        {which: uncertainty.wilson_interval(sum(counted), of, confidence) for which, counted in hits.items()}
    )


def values_with_bootstrap(
    rows: ScoredRows, metric_functions: Mapping[ModelName, Callable[[Array], Array]]
) -> MetricValues:
    """Return metric values and paired gains, with intervals from a bootstrap over rows.

    All models use the same bootstrap samples. `metric_functions` contains one function for each model. The function
    computes the metric of each sample from the resample counts of the rows (samples × rows).
    """
    settings = rows.settings
    samples = uncertainty.bootstrap_metric(
        metric_functions, len(rows.examples), settings.bootstrap_samples, settings.seed
    )

    def interval(values: Array) -> Interval:
        return uncertainty.percentile_interval(float(values[0]), values[1:], settings.confidence)

    others = [which for which in samples if which != "candidate" and "candidate" in samples]
    return MetricValues(
        {which: interval(values) for which, values in samples.items()},
        {other: interval(samples["candidate"] - samples[other]) for other in others},
    )
