"""The figures of an evaluation, whole and by slice: the schema of metrics.json."""

from typing import Literal

from tasks.core.config import Frozen
from tasks.stages.evaluate.contenders import Which
from tasks.stages.evaluate.intervals import Interval


class Described(Frozen):
    """A metric in words, so that whoever reads the figures needs no list of them: `metrics/metric.py`."""

    name: str
    title: str
    about: str
    """What it counts, in two or three words."""
    unit: str
    """As printed; empty for a share from 0 to 1."""
    note: str
    """How it is computed over rows, and the kind of its interval."""
    interval: str
    """The kind alone: Wilson, bootstrap, …"""
    explanation: str
    """What it means with this target."""


class Comparison(Frozen):
    """The candidate against another model, on the rows that both answered."""

    rows: int
    gained: int
    """Rows that only the candidate has right."""
    lost: int
    """Rows that only the other model has right."""
    gain: Interval
    """Exact match of the candidate minus that of the other, with Newcombe's paired interval."""
    gains: dict[str, Interval]
    """By other metric, where it states one: the candidate's figure minus that of the other, with a paired interval."""
    p: float
    """McNemar's exact test, two-sided."""
    p_holm: float
    """The same, corrected (Holm) for looking at all slices of a kind; equal to p over all rows."""
    smallest_detectable: float
    """The smallest gain that so many rows would show with 80 % power."""
    verdict: Literal["better", "worse", "undecided"]
    """Better or worse: p_holm is below 1 - confidence and the gain's interval excludes zero."""


class Group(Frozen):
    """Rows judged together."""

    by: Literal["all", "department", "language", "kind", "source"]
    value: str
    rows: int
    answered: dict[Which, int]
    """How many of them each model answered: the base model a sample, where it was not asked all."""
    scores: dict[Which, dict[str, Interval]]
    """Of each model, by metric, on the rows that it answered; none where it answered none."""
    comparisons: dict[Which, Comparison]
    """By the model that the candidate is compared with: base, and champion where there is one."""


class LabelScore(Frozen):
    """The candidate on one expected label."""

    label: str
    rows: int
    precision: float
    recall: float
    f1: float


class Confusion(Frozen):
    """How often the candidate answered one label where another was expected."""

    expected: str
    answered: str
    """Empty where the answer has no label."""
    rows: int


class Metrics(Frozen):
    """metrics.json."""

    target: Literal["json", "label"]
    label_field: str | None
    confidence: float
    """Coverage of every interval."""
    metrics: list[Described]
    """What is measured, in the order in which it is shown."""
    compared: str
    """The metric that gains and verdicts are about."""
    overall: Group
    slices: list[Group]
    """By department, language, kind and source; every row stands in one slice of each."""
    labels: list[LabelScore]
    """Every expected label, sorted."""
    confusions: list[Confusion]
    """Wrong labels, most frequent first."""
