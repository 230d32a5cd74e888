"""The figures of an evaluation, whole and by slice: the schema of metrics.json, and how each comes about."""

from collections import Counter
from collections.abc import Sequence
from typing import Literal

import numpy as np

from tasks.config import Frozen
from tasks.evaluate import intervals
from tasks.evaluate.examples import SLICES, Example
from tasks.evaluate.intervals import Interval
from tasks.evaluate.models import Which
from tasks.params import Evaluation


class Score(Frozen):
    """One model on some rows."""

    exact_match: Interval
    """Share of right answers, with its Wilson interval."""
    format_adherence: Interval
    """Share of well-formed answers, with its Wilson interval."""
    macro_f1: Interval
    """Mean F1 over the labels that the rows have, with its bootstrap interval."""


class Comparison(Frozen):
    """The candidate against another model, on the same rows."""

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
    scores: dict[Which, Score]
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


def compute(examples: Sequence[Example], settings: Evaluation) -> Metrics:
    """All figures of `examples` (at least one row, each with the candidate's and the base model's answer)."""
    return Metrics(
        target=settings.target,
        label_field=settings.label_field,
        confidence=settings.confidence,
        overall=_group("all", "", examples, settings),
        slices=[group for by in SLICES for group in _slices(by, examples, settings)],
        labels=label_scores(examples),
        confusions=confusions(examples),
    )


def _slices(by: str, examples: Sequence[Example], settings: Evaluation) -> list[Group]:
    values = sorted({example.slices[by] for example in examples})
    groups = [_group(by, value, [e for e in examples if e.slices[by] == value], settings) for value in values]
    return _corrected(groups, settings.confidence)


def _group(by: str, value: str, rows: Sequence[Example], settings: Evaluation) -> Group:
    truth = [row.label for row in rows]
    draws = intervals.resample(len(rows), settings.bootstrap_samples, settings.seed)
    weights = np.concatenate([np.ones((1, len(rows)), draws.dtype), draws])
    # Row 0 is the figure itself; the models share their draws, so differences are paired.
    f1 = {w: intervals.macro_f1(truth, [row.said[w].label for row in rows], weights) for w in rows[0].said}
    right = {which: [row.said[which].right for row in rows] for which in f1}

    def compared(other: Which) -> Comparison:
        pairs = intervals.count_pairs(right["candidate"], right[other])
        return compare(pairs, _interval(f1["candidate"] - f1[other], settings.confidence), settings.confidence)

    def scored(which: Which) -> Score:
        formed = sum(row.said[which].well_formed for row in rows)
        return Score(
            exact_match=intervals.wilson(sum(right[which]), len(rows), settings.confidence),
            format_adherence=intervals.wilson(formed, len(rows), settings.confidence),
            macro_f1=_interval(f1[which], settings.confidence),
        )

    return Group.model_validate(
        {
            "by": by,
            "value": value,
            "rows": len(rows),
            "scores": {which: scored(which) for which in f1},
            "comparisons": {which: compared(which) for which in f1 if which != "candidate"},
        }
    )


def compare(pairs: intervals.Pairs, macro_f1_gain: Interval, confidence: float) -> Comparison:
    """The candidate (first of the pairs) against another model."""
    p = round(intervals.mcnemar_p(pairs), intervals.DIGITS + 6)
    gain = intervals.paired_gain(pairs, confidence)
    return Comparison(
        gained=pairs.gained,
        lost=pairs.lost,
        gain=gain,
        macro_f1_gain=macro_f1_gain,
        p=p,
        p_holm=p,
        smallest_detectable=intervals.smallest_detectable(pairs, confidence),
        verdict=verdict(gain, p, confidence),
    )


def verdict(gain: Interval, p: float, confidence: float) -> Literal["better", "worse", "undecided"]:
    if p >= 1 - confidence or gain.low <= 0 <= gain.high:
        return "undecided"
    return "better" if gain.value > 0 else "worse"


def _corrected(groups: list[Group], confidence: float) -> list[Group]:
    """The same groups with p values corrected for their number."""
    from statsmodels.stats.multitest import multipletests

    for other in groups[0].comparisons:
        ps = multipletests([group.comparisons[other].p for group in groups], method="holm")[1]
        groups = [_with_p(group, other, float(p), confidence) for group, p in zip(groups, ps, strict=True)]
    return groups


def _with_p(group: Group, other: Which, p: float, confidence: float) -> Group:
    old = group.comparisons[other]
    p = round(p, intervals.DIGITS + 6)
    new = old.model_copy(update={"p_holm": p, "verdict": verdict(old.gain, p, confidence)})
    return group.model_copy(update={"comparisons": {**group.comparisons, other: new}})


def _interval(values: intervals.Array, confidence: float) -> Interval:
    return intervals.percentiles(float(values[0]), values[1:], confidence)


def label_scores(examples: Sequence[Example]) -> list[LabelScore]:
    """Precision, recall and F1 of the candidate on every expected label."""
    from sklearn.metrics import precision_recall_fscore_support

    truth = [example.label for example in examples]
    answered = [example.said["candidate"].label for example in examples]
    names = sorted(set(truth))
    columns = precision_recall_fscore_support(truth, answered, labels=names, zero_division=0)
    return [
        LabelScore(
            label=name,
            rows=int(rows),
            precision=round(float(precision), intervals.DIGITS),
            recall=round(float(recall), intervals.DIGITS),
            f1=round(float(f1), intervals.DIGITS),
        )
        for name, precision, recall, f1, rows in zip(names, *columns, strict=True)
    ]


def confusions(examples: Sequence[Example]) -> list[Confusion]:
    """The candidate's wrong labels."""
    pairs = Counter((example.label, example.said["candidate"].label) for example in examples)
    wrong = sorted((-rows, pair) for pair, rows in pairs.items() if pair[0] != pair[1])
    return [Confusion(expected=expected, answered=said, rows=-rows) for rows, (expected, said) in wrong]
