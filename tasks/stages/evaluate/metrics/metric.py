"""Definition of a metric, and the computations that several metrics share."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TypeVar

from tasks.core.params.evaluation import Evaluation
from tasks.stages.evaluate import intervals
from tasks.stages.evaluate.contenders import MODELS, Which
from tasks.stages.evaluate.document import Described
from tasks.stages.evaluate.examples import Example, Said
from tasks.stages.evaluate.intervals import Array, Interval

Value = TypeVar("Value")


@dataclass(frozen=True)
class Rows:
    """Rows over which a metric is computed; there is at least one."""

    examples: Sequence[Example]
    settings: Evaluation

    @property
    def models(self) -> list[Which]:
        """Models that answered every row."""
        return [which for which in MODELS if all(which in example.said for example in self.examples)]

    def each(self, value: Callable[[Example, Said], Value]) -> dict[Which, list[Value]]:
        """Return, for each model, `value` of every row and the model's answer to it."""
        return {which: [value(example, example.said[which]) for example in self.examples] for which in self.models}


@dataclass(frozen=True)
class Measured:
    """Values of a metric over some rows."""

    scores: Mapping[Which, Interval]
    """Value for every model that answered all of the rows."""
    gains: Mapping[Which, Interval] = field(default_factory=dict)
    """Candidate's value minus each other model's, with a paired interval; empty if the metric computes no gains."""


@dataclass(frozen=True)
class Metric:
    """Metric of an evaluation: its computation, and its description for pages and gates."""

    name: str
    """Name in metrics.json, and for gates as `evaluate.NAME`; lower case, with underscores."""
    title: str
    about: str
    """Subject of the metric in two or three words, shown beside the title."""
    computed: str
    """Computation over rows, in a few words for the person who decides on the metric."""
    interval: str
    """Kind of the interval: Wilson, bootstrap, …"""
    explain: Callable[[Evaluation], str]
    """Function that returns the metric's sentence in the report's method section."""
    measure: Callable[[Rows], Measured]
    unit: str = ""
    """Unit as printed: characters, words, … Empty for a share from 0 to 1, which pages show in percent."""

    def described(self, settings: Evaluation) -> Described:
        return Described(
            name=self.name,
            title=self.title,
            about=self.about,
            unit=self.unit,
            note=f"{self.computed}; {self.interval} interval",
            interval=self.interval,
            explanation=self.explain(settings),
        )


def share(rows: Rows, counts: Callable[[Example, Said], bool]) -> Measured:
    """Return the share of answers for which `counts` is true, with its Wilson interval."""
    of, confidence = len(rows.examples), rows.settings.confidence
    hits = rows.each(counts)
    return Measured({which: intervals.wilson(sum(counted), of, confidence) for which, counted in hits.items()})


def bootstrapped(rows: Rows, figures: Mapping[Which, Callable[[Array], Array]]) -> Measured:
    """Return values and paired gains with intervals from a bootstrap over rows, with the same samples for all models.

    `figures` has a function for each model that computes the metric in each sample from the draw counts of the rows
    (samples × rows).
    """
    settings = rows.settings
    samples = intervals.bootstrap(figures, len(rows.examples), settings.bootstrap_samples, settings.seed)

    def interval(values: Array) -> Interval:
        return intervals.percentiles(float(values[0]), values[1:], settings.confidence)

    others = [which for which in samples if which != "candidate" and "candidate" in samples]
    return Measured(
        {which: interval(values) for which, values in samples.items()},
        {other: interval(samples["candidate"] - samples[other]) for other in others},
    )
