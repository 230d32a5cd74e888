"""Computation of an evaluation's metrics from the judged answers, over all rows and by slice."""

from collections import Counter
from collections.abc import Sequence

from tasks.core.params.evaluation import Evaluation
from tasks.core.progress import print_progress
from tasks.stages.evaluate import model_comparison, uncertainty
from tasks.stages.evaluate.judged_rows import SLICE_FIELDS, JudgedRow
from tasks.stages.evaluate.metrics import exact_match, table
from tasks.stages.evaluate.metrics.metric import ScoredRows
from tasks.stages.evaluate.metrics_schema import Comparison, Confusion, GroupMetrics, LabelScore, Metrics
from tasks.stages.evaluate.model_names import MODELS, ModelName
from tasks.stages.evaluate.uncertainty import Interval


def compute_metrics(examples: Sequence[JudgedRow], settings: Evaluation) -> Metrics:
    """Compute the metrics of all models, the comparisons between them, and the candidate's scores by label.

    There must be at least one row. The candidate must have answered every row, and the base model at least one.
    """
    print_progress("evaluate", f"figures of all {len(examples):,} rows")
    return Metrics(
        target=settings.target,
        label_field=settings.label_field,
        confidence=settings.confidence,
        metrics=[metric.description(settings) for metric in table.METRICS],
        compared=exact_match.METRIC.name,
        overall=_group_metrics("all", "", examples, settings),
        slices=[group for by in SLICE_FIELDS for group in _slice_metrics(by, examples, settings)],
        labels=label_scores(examples),
        confusions=count_confusions(examples),
    )


def _slice_metrics(by: str, examples: Sequence[JudgedRow], settings: Evaluation) -> list[GroupMetrics]:
    print_progress("evaluate", f"figures by {by}")
    values = sorted({example.slices[by] for example in examples})
    groups = [_group_metrics(by, value, [e for e in examples if e.slices[by] == value], settings) for value in values]
    return model_comparison.correct_p_values(groups, settings.confidence)


def _group_metrics(by: str, value: str, examples: Sequence[JudgedRow], settings: Evaluation) -> GroupMetrics:
    answered = {which: [example for example in examples if which in example.said] for which in MODELS}
    whole = _ScoredRows(ScoredRows(examples, settings))
    parts = {
        which: whole if len(rows) == len(examples) else _ScoredRows(ScoredRows(rows, settings))
        for which, rows in answered.items()
        if rows
    }
    return GroupMetrics.model_validate(
        {
            "by": by,
            "value": value,
            "rows": len(examples),
            "answered": {which: len(answered[which]) for which in parts},
            "scores": {which: part.scores(which) for which, part in parts.items()},
            "comparisons": {which: part.compare(which) for which, part in parts.items() if which != "candidate"},
        }
    )


class _ScoredRows:
    def __init__(self, rows: ScoredRows) -> None:
        self.rows = rows
        self.measured = {metric.name: metric.measure(rows) for metric in table.METRICS}

    def scores(self, which: ModelName) -> dict[str, Interval]:
        return {name: measured.scores[which] for name, measured in self.measured.items()}

    def compare(self, other: ModelName) -> Comparison:
        right = self.rows.values_by_model(lambda _, said: said.right)
        pairs = uncertainty.count_pairs(right["candidate"], right[other])
        gains = {name: measured.gains[other] for name, measured in self.measured.items() if other in measured.gains}
        return model_comparison.compare_models(pairs, gains, self.rows.settings.confidence)


def label_scores(examples: Sequence[JudgedRow]) -> list[LabelScore]:
    from sklearn.metrics import precision_recall_fscore_support

    truth = [example.label for example in examples]
    answered = [example.said["candidate"].label for example in examples]
    names = sorted(set(truth))
    columns = precision_recall_fscore_support(truth, answered, labels=names, zero_division=0)
    return [
        LabelScore(
            label=name,
            rows=int(rows),
            precision=round(float(precision), uncertainty.DECIMALS),
            recall=round(float(recall), uncertainty.DECIMALS),
            f1=round(float(f1), uncertainty.DECIMALS),
        )
        for name, precision, recall, f1, rows in zip(names, *columns, strict=True)
    ]


def count_confusions(examples: Sequence[JudgedRow]) -> list[Confusion]:
    """Count the candidate's errors by expected and answered label, most frequent first."""
    pairs = Counter((example.label, example.said["candidate"].label) for example in examples)
    wrong = sorted((-rows, pair) for pair, rows in pairs.items() if pair[0] != pair[1])
    return [Confusion(expected=expected, answered=said, rows=-rows) for rows, (expected, said) in wrong]
