"""What a version is held to, and whether the next one asks less of itself.

Metrics are matched by the figure that they are about, not by their name, which is words for people.
"""

import math

from tasks.core.config import Frozen
from tasks.core.params.params import Params
from tasks.core.params.use_case import SuccessMetric

AT_LEAST, AT_MOST = ("high", "value", "low"), ("low", "value", "high")
"""Bounds from the laxest on: who wants at least .4 of the low end of an interval wants more than of the estimate."""


class Bar(Frozen):
    """The success metrics of a use-case card, and how sure their intervals are."""

    success_metrics: list[SuccessMetric]
    confidence: float
    """`evaluation.confidence`: with less of it every interval is narrower, and its ends are reached sooner."""
    base_rows: int | None
    """`evaluation.base_rows`: of one row that the base model answers anything can be gained. None: it answers all."""
    judged_by: str
    """What of an answer figures are about: `evaluation.target`, and of JSON the field whose labels are compared."""

    @staticmethod
    def of(params: Params) -> "Bar":
        card, how = params.use_case, params.evaluation
        return Bar(
            success_metrics=card.success_metrics,
            confidence=how.confidence,
            base_rows=how.base_rows,
            judged_by=" ".join(filter(None, (how.target, how.label_field))),
        )


class Adopted(Frozen):
    """What the version of a use case that was adopted last is held to."""

    release: str
    bar: Bar


def laxer(adopted: Adopted | None, now: Bar) -> list[str]:
    """In words each metric that asks less than the version adopted last, with both thresholds; none where nothing was
    adopted before."""
    if adopted is None:
        return []
    before = adopted.bar
    changes = [f"{_in_words(metric)} becomes {_now(metric, now)}" for metric in _unmet(before, now)]
    if now.confidence < before.confidence:
        changes.append(f"confidence of intervals {before.confidence:g} becomes {now.confidence:g}")
    if _rows(now) < _rows(before):
        changes.append(f"rows that the base model answers: {before.base_rows or 'all'} becomes {now.base_rows}")
    if now.judged_by != before.judged_by:
        changes.append(f"figures about {before.judged_by} become figures about {now.judged_by}")
    return changes


def compared(before: list[SuccessMetric], now: list[SuccessMetric]) -> list[str]:
    """In words each metric that is new, gone or asks for something else."""
    was, becomes = ({metric.name: _in_words(metric) for metric in metrics} for metrics in (before, now))
    return [
        f"{was.get(name) or f'{name!r} is new:'} {'becomes ' * (name in was)}{becomes.get(name, 'none')}"
        for name in {**was, **becomes}
        if was.get(name) != becomes.get(name)
    ]


def _rows(bar: Bar) -> float:
    return math.inf if bar.base_rows is None else bar.base_rows


def raised(adopted: Adopted | None, now: Bar) -> Bar:
    """What the version after this one is held to. A metric that was waived as laxer lowers nothing: the one before it
    stays, since a waiver ends and is for one version."""
    if adopted is None:
        return now
    stay = _unmet(adopted.bar, now)
    return Bar(
        success_metrics=[m for m in now.success_metrics if not any(_asks_as_much(old, m) for old in stay)] + stay,
        confidence=max(adopted.bar.confidence, now.confidence),
        base_rows=max(adopted.bar, now, key=_rows).base_rows,
        judged_by=adopted.bar.judged_by,
    )


def _unmet(before: Bar, now: Bar) -> list[SuccessMetric]:
    return [old for old in before.success_metrics if not any(_asks_as_much(new, old) for new in now.success_metrics)]


def _asks_as_much(new: SuccessMetric, old: SuccessMetric) -> bool:
    """Whether who reaches the new metric has reached the old one."""
    if new.fact != old.fact or (old.judged == "evaluation" and new.judged != "evaluation"):
        return False
    if old.at_least is not None:
        return (
            new.at_least is not None
            and new.at_least >= old.at_least
            and AT_LEAST.index(new.bound) >= AT_LEAST.index(old.bound)
        )
    return (
        new.at_most is not None
        and old.at_most is not None
        and new.at_most <= old.at_most
        and AT_MOST.index(new.bound) >= AT_MOST.index(old.bound)
    )


def _now(old: SuccessMetric, now: Bar) -> str:
    """The metrics that are about the same figure now."""
    return " and ".join(_wanted(new) for new in now.success_metrics if new.fact == old.fact) or "none"


def _in_words(metric: SuccessMetric) -> str:
    return f"{metric.name!r} ({metric.fact}) {_wanted(metric)}"


def _wanted(metric: SuccessMetric) -> str:
    wanted = f"at least {metric.at_least:g}" if metric.at_least is not None else f"at most {metric.at_most:g}"
    bound = "" if metric.bound == "value" else f"{metric.bound} end "
    return f"{bound}{wanted}" + ", judged in production alone" * (metric.judged == "production")
