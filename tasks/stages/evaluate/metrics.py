"""The figures of an evaluation, whole and by slice: the schema of metrics.json."""

from typing import Literal

from tasks.core.config import Frozen
from tasks.stages.evaluate.contenders import Which
from tasks.stages.evaluate.intervals import Interval


class Score(Frozen):
    """One model on some rows."""

    exact_match: Interval
    """Share of right answers, with its Wilson interval."""
    format_adherence: Interval
    """Share of well-formed answers, with its Wilson interval."""
    macro_f1: Interval
    """Mean F1 over the labels that the rows have, with its bootstrap interval."""


class Comparison(Frozen):
    """The candidate against another model, on the rows that both answered."""

    rows: int
    gained: int
    """Rows that only the candidate has right."""
    lost: int
    """Rows that only the other model has right."""
    gain: Interval
    """Exact match of the candidate minus that of the other, with Newcombe's paired interval."""
    macro_f1_gain: Interval
    """The same of macro-F1, with its paired bootstrap interval."""
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
    scores: dict[Which, Score]
    """Of each model on the rows that it answered; none where it answered none."""
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
    overall: Group
    slices: list[Group]
    """By department, language, kind and source; every row stands in one slice of each."""
    labels: list[LabelScore]
    """Every expected label, sorted."""
    confusions: list[Confusion]
    """Wrong labels, most frequent first."""
