"""Acceptance criteria of a use case, and whether a new version of its card is less strict than the last promotion.

Metrics are matched by the evaluated value (`fact`) and not by their name, because a name is free text.
"""

import math
from typing import Any

from pydantic import SerializerFunctionWrapHandler, model_serializer

from tasks.core.documents.config import FrozenModel
from tasks.core.params.params import Params
from tasks.core.params.use_case import SuccessMetric

AT_LEAST_BOUNDS, AT_MOST_BOUNDS = ("high", "value", "low"), ("low", "value", "high")
"""Values of `bound` for a minimum and for a maximum, each from the least to the most strict. For example, a minimum of
0.4 for an interval's low end is stricter than a minimum of 0.4 for the estimate."""


class AcceptanceCriteria(FrozenModel):
    """Success metrics of a use-case card, with the settings that determine how hard they are to reach."""

    success_metrics: list[SuccessMetric]
    confidence: float
    """Confidence level of intervals (`evaluation.confidence`). A lower level makes intervals narrower, and limits for
    their ends easier to meet."""
    base_rows: int | None
    """Number of test rows that the base model answers (`evaluation.base_rows`); null for all rows.

    On very few rows, a gain over the base model is not significant.
    """
    judged_by: str
    """Part of an answer from which metrics are computed (`evaluation.target` and `evaluation.label_field`)."""
    required_precision: float | None = None
    """Precision of the answers that need no review (`evaluation.required_precision`); null if none is required."""

    @model_serializer(mode="wrap")
    def _without_unused(self, handler: SerializerFunctionWrapHandler) -> dict[str, Any]:
        """Leave out `required_precision` if there is none, so that digests of earlier cards stay."""
        stated: dict[str, Any] = handler(self)
        return {name: value for name, value in stated.items() if name != "required_precision" or value is not None}

    @staticmethod
    def from_params(params: Params) -> "AcceptanceCriteria":
        card, how = params.use_case, params.evaluation
        return AcceptanceCriteria(
            success_metrics=card.success_metrics,
            confidence=how.confidence,
            base_rows=how.base_rows,
            judged_by=" ".join(filter(None, (how.target, how.label_field))),
            required_precision=how.required_precision,
        )


class PromotedCriteria(FrozenModel):
    """Acceptance criteria of the newest promotion of a use case."""

    release: str
    bar: AcceptanceCriteria


def relaxed_criteria(promoted: PromotedCriteria | None, now: AcceptanceCriteria) -> list[str]:
    """Return a description of each criterion that is less strict than in the last promotion.

    The list is empty if nothing was promoted before.
    """
    if promoted is None:
        return []
    before = promoted.bar
    changes = [
        f"{_metric_text(metric)} becomes {_new_thresholds(metric, now)}" for metric in _relaxed_metrics(before, now)
    ]
    if now.confidence < before.confidence:
        changes.append(f"confidence of intervals {before.confidence:g} becomes {now.confidence:g}")
    if _base_rows(now) < _base_rows(before):
        changes.append(f"rows that the base model answers: {before.base_rows or 'all'} becomes {now.base_rows}")
    if (now.required_precision or 0) < (before.required_precision or 0):
        changes.append(
            f"precision without review {before.required_precision:g} becomes {now.required_precision or 'none'}"
        )
    if now.judged_by != before.judged_by:
        changes.append(f"figures about {before.judged_by} become figures about {now.judged_by}")
    return changes


def metric_changes(before: list[SuccessMetric], now: list[SuccessMetric]) -> list[str]:
    was, becomes = ({metric.name: _metric_text(metric) for metric in metrics} for metrics in (before, now))
    return [
        f"{was.get(name) or f'{name!r} is new:'} {'becomes ' * (name in was)}{becomes.get(name, 'none')}"
        for name in {**was, **becomes}
        if was.get(name) != becomes.get(name)
    ]


def _base_rows(bar: AcceptanceCriteria) -> float:
    return math.inf if bar.base_rows is None else bar.base_rows


def next_criteria(promoted: PromotedCriteria | None, now: AcceptanceCriteria) -> AcceptanceCriteria:
    """Return the criteria that the next promotion has to meet.

    A waiver is for one release only. If a metric became less strict under a waiver, the stricter metric is therefore
    kept.
    """
    if promoted is None:
        return now
    stay = _relaxed_metrics(promoted.bar, now)
    return AcceptanceCriteria(
        success_metrics=[m for m in now.success_metrics if not any(_is_as_strict(old, m) for old in stay)] + stay,
        confidence=max(promoted.bar.confidence, now.confidence),
        base_rows=max(promoted.bar, now, key=_base_rows).base_rows,
        judged_by=promoted.bar.judged_by,
        required_precision=max(promoted.bar.required_precision or 0, now.required_precision or 0) or None,
    )


def _relaxed_metrics(before: AcceptanceCriteria, now: AcceptanceCriteria) -> list[SuccessMetric]:
    return [old for old in before.success_metrics if not any(_is_as_strict(new, old) for new in now.success_metrics)]


def _is_as_strict(new: SuccessMetric, old: SuccessMetric) -> bool:
    """Return whether every model that meets the new metric also meets the old one."""
    if new.fact != old.fact or (old.judged == "evaluation" and new.judged != "evaluation"):
        return False
    if old.at_least is not None:
        return (
            new.at_least is not None
            and new.at_least >= old.at_least
            and AT_LEAST_BOUNDS.index(new.bound) >= AT_LEAST_BOUNDS.index(old.bound)
        )
    return (
        new.at_most is not None
        and old.at_most is not None
        and new.at_most <= old.at_most
        and AT_MOST_BOUNDS.index(new.bound) >= AT_MOST_BOUNDS.index(old.bound)
    )


def _new_thresholds(old: SuccessMetric, now: AcceptanceCriteria) -> str:
    return " and ".join(_threshold_text(new) for new in now.success_metrics if new.fact == old.fact) or "none"


def _metric_text(metric: SuccessMetric) -> str:
    return f"{metric.name!r} ({metric.fact}) {_threshold_text(metric)}"


def _threshold_text(metric: SuccessMetric) -> str:
    wanted = f"at least {metric.at_least:g}" if metric.at_least is not None else f"at most {metric.at_most:g}"
    bound = "" if metric.bound == "value" else f"{metric.bound} end "
    return f"{bound}{wanted}" + ", judged in production alone" * (metric.judged == "production")
