"""Definition of a metric, and the computations that several metrics share."""

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
    """Rows over which a metric is computed; at least one."""

    examples: Sequence[JudgedRow]
    settings: Evaluation

    @property
    def models(self) -> list[ModelName]:
        """Models that answered every row."""
        return [which for which in MODELS if all(which in example.said for example in self.examples)]

    def values_by_model(self, value: Callable[[JudgedRow, JudgedAnswer], Value]) -> dict[ModelName, list[Value]]:
        return {which: [value(example, example.said[which]) for example in self.examples] for which in self.models}


@dataclass(frozen=True)
class MetricValues:
    scores: Mapping[ModelName, Interval]
    """Value for every model that answered all of the rows."""
    gains: Mapping[ModelName, Interval] = field(default_factory=dict)
    """Candidate's value minus each other model's, with a paired interval; empty if the metric computes no gains."""


@dataclass(frozen=True)
class Metric:
    name: str
    """Name in metrics.json, and for gates as `evaluate.NAME`; lower case, with underscores."""
    title: str
    about: str
    """Subject of the metric in two or three words, shown beside the title."""
    computation: str
    """Computation over rows, in a few words for the person who decides on the metric."""
    interval: str
    """Kind of the interval: Wilson, bootstrap, …"""
    explain: Callable[[Evaluation], str]
    """Function that returns the metric's sentence in the report's method section."""
    measure: Callable[[ScoredRows], MetricValues]
    unit: str = ""
    """Unit as printed: characters, words, … Empty for a share from 0 to 1, which pages show in percent."""

    def description(self, settings: Evaluation) -> MetricDescription:
        return MetricDescription(
            name=self.name,
            title=self.title,
            about=self.about,
            unit=self.unit,
            note=f"{self.computation}; {self.interval} interval",
            interval=self.interval,
            explanation=self.explain(settings),
        )


def share_with_interval(rows: ScoredRows, counts: Callable[[JudgedRow, JudgedAnswer], bool]) -> MetricValues:
    """Return the share of answers for which `counts` is true, with its Wilson interval."""
    of, confidence = len(rows.examples), rows.settings.confidence
    hits = rows.values_by_model(counts)
    return MetricValues(
        {which: uncertainty.wilson_interval(sum(counted), of, confidence) for which, counted in hits.items()}
    )


def values_with_bootstrap(rows: ScoredRows, figures: Mapping[ModelName, Callable[[Array], Array]]) -> MetricValues:
    """Return values and paired gains with intervals from a bootstrap over rows, with the same samples for all models.

    `figures` has a function for each model that computes the metric in each sample from the draw counts of the rows
    (samples × rows).
    """
    settings = rows.settings
    samples = uncertainty.bootstrap(figures, len(rows.examples), settings.bootstrap_samples, settings.seed)

    def interval(values: Array) -> Interval:
        return uncertainty.percentile_interval(float(values[0]), values[1:], settings.confidence)

    others = [which for which in samples if which != "candidate" and "candidate" in samples]
    return MetricValues(
        {which: interval(values) for which, values in samples.items()},
        {other: interval(samples["candidate"] - samples[other]) for other in others},
    )
