"""What a metric is, and what most of them are computed with."""

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
    """Rows that are judged together: at least one."""

    examples: Sequence[Example]
    settings: Evaluation

    @property
    def models(self) -> list[Which]:
        """Those that answered every row."""
        return [which for which in MODELS if all(which in example.said for example in self.examples)]

    def each(self, value: Callable[[Example, Said], Value]) -> dict[Which, list[Value]]:
        """By model, a value of each row and the model's answer to it."""
        return {which: [value(example, example.said[which]) for example in self.examples] for which in self.models}


@dataclass(frozen=True)
class Measured:
    """A metric on some rows."""

    scores: Mapping[Which, Interval]
    """Of every model that answered all of them."""
    gains: Mapping[Which, Interval] = field(default_factory=dict)
    """The candidate's figure minus that of each other model, paired; empty for a metric that states none."""


@dataclass(frozen=True)
class Metric:
    name: str
    """In metrics.json, and for gates as `evaluate.NAME`; lower case, with underscores."""
    title: str
    """Its name on pages."""
    about: str
    """What it counts, in two or three words beside the title."""
    computed: str
    """How it is computed over rows, in a few words for the person who decides on it."""
    interval: str
    """The kind of its interval, in words: Wilson, bootstrap, …"""
    explain: Callable[[Evaluation], str]
    """The sentence of the report's method section."""
    measure: Callable[[Rows], Measured]
    unit: str = ""
    """As printed: characters, words, … Empty for a share from 0 to 1, which pages print in percent."""

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
    """The share of answers that count, with its Wilson interval."""
    of, confidence = len(rows.examples), rows.settings.confidence
    hits = rows.each(counts)
    return Measured({which: intervals.wilson(sum(counted), of, confidence) for which, counted in hits.items()})


def bootstrapped(rows: Rows, figures: Mapping[Which, Callable[[Array], Array]]) -> Measured:
    """Figures of which only a bootstrap over rows gives an interval; gains are paired, by the same samples.

    `figures` gives, by model, its figure in each sample from how often each row was drawn (samples × rows).
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
