"""The figures of an evaluation, whole and by slice, from every row's answers."""

from collections import Counter
from collections.abc import Sequence
from typing import Literal

from tasks.core.params.evaluation import Evaluation
from tasks.core.progress import phase
from tasks.stages.evaluate import intervals
from tasks.stages.evaluate.contenders import MODELS, Which
from tasks.stages.evaluate.examples import SLICES, Example
from tasks.stages.evaluate.intervals import Interval
from tasks.stages.evaluate.metrics import Comparison, Confusion, Group, LabelScore, Metrics, Score


def compute(examples: Sequence[Example], settings: Evaluation) -> Metrics:
    """All figures of `examples`: at least one row, each with the candidate's answer, and some with the base model's."""
    phase("evaluate", f"figures of all {len(examples):,} rows")
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
    phase("evaluate", f"figures by {by}")
    values = sorted({example.slices[by] for example in examples})
    groups = [_group(by, value, [e for e in examples if e.slices[by] == value], settings) for value in values]
    return _corrected(groups, settings.confidence)


def _group(by: str, value: str, rows: Sequence[Example], settings: Evaluation) -> Group:
    answered = {which: [row for row in rows if which in row.said] for which in MODELS}
    whole = _Seen(rows, settings)
    seen = {
        which: whole if len(there) == len(rows) else _Seen(there, settings)
        for which, there in answered.items()
        if there
    }
    return Group.model_validate(
        {
            "by": by,
            "value": value,
            "rows": len(rows),
            "answered": {which: len(answered[which]) for which in seen},
            "scores": {which: one.score(which) for which, one in seen.items()},
            "comparisons": {which: one.compare(which) for which, one in seen.items() if which != "candidate"},
        }
    )


class _Seen:
    """Some rows, and the models that answered every one of them, with what their figures are computed from."""

    def __init__(self, rows: Sequence[Example], settings: Evaluation) -> None:
        self.rows, self.confidence = rows, settings.confidence
        models = [which for which in MODELS if all(which in row.said for row in rows)]
        self.right = {which: [row.said[which].right for row in rows] for which in models}
        answered = {which: [row.said[which].label for row in rows] for which in models}
        self.f1 = intervals.macro_f1_samples(
            [row.label for row in rows], answered, settings.bootstrap_samples, settings.seed
        )
        """By model: first the figure, then its bootstrap samples, which all models share."""

    def score(self, which: Which) -> Score:
        formed = sum(row.said[which].well_formed for row in self.rows)
        return Score(
            exact_match=intervals.wilson(sum(self.right[which]), len(self.rows), self.confidence),
            format_adherence=intervals.wilson(formed, len(self.rows), self.confidence),
            macro_f1=self._interval(self.f1[which]),
        )

    def compare(self, other: Which) -> Comparison:
        pairs = intervals.count_pairs(self.right["candidate"], self.right[other])
        return compare(pairs, self._interval(self.f1["candidate"] - self.f1[other]), self.confidence)

    def _interval(self, values: intervals.Array) -> Interval:
        return intervals.percentiles(float(values[0]), values[1:], self.confidence)


def compare(pairs: intervals.Pairs, macro_f1_gain: Interval, confidence: float) -> Comparison:
    """The candidate (first of the pairs) against another model."""
    p = intervals.mcnemar_p(pairs)
    gain = intervals.paired_gain(pairs, confidence)
    return Comparison(
        rows=pairs.rows,
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
    level = round(1 - confidence, intervals.DIGITS)  # 1 - 0.95 is a little more than 0.05
    if p >= level or gain.low <= 0 <= gain.high:
        return "undecided"
    return "better" if gain.value > 0 else "worse"


def _corrected(groups: list[Group], confidence: float) -> list[Group]:
    """The same groups with p values corrected for their number."""
    for other in MODELS:
        places = [place for place, group in enumerate(groups) if other in group.comparisons]
        ps = intervals.holm([groups[place].comparisons[other].p for place in places])
        for place, p in zip(places, ps, strict=True):
            groups[place] = _with_p(groups[place], other, p, confidence)
    return groups


def _with_p(group: Group, other: Which, p: float, confidence: float) -> Group:
    old = group.comparisons[other]
    new = old.model_copy(update={"p_holm": p, "verdict": verdict(old.gain, p, confidence)})
    return group.model_copy(update={"comparisons": {**group.comparisons, other: new}})


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
