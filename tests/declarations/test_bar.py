"""Success metrics may become stricter from version to version, not laxer."""

from typing import Any

import pytest

from tasks.core.params.use_case import SuccessMetric
from tasks.declarations.criteria import AcceptanceCriteria, PromotedCriteria, next_criteria, relaxed_criteria

BEFORE = {"name": "right", "fact": "evaluate.exact_match", "bound": "value", "at_least": 0.4}
FAST = {"name": "fast", "fact": "measured.predict.latency_p95_ms", "at_most": 900}
KEPT = {"name": "adopted", "fact": "adoption", "judged": "production", "at_least": 0.6}


def bar(
    *metrics: dict[str, Any], confidence: float = 0.95, base_rows: int | None = 400, judged_by: str = "json intent"
) -> AcceptanceCriteria:
    named = [SuccessMetric.model_validate(one) for one in metrics]
    return AcceptanceCriteria(success_metrics=named, confidence=confidence, base_rows=base_rows, judged_by=judged_by)


def adopted(*metrics: dict[str, Any]) -> PromotedCriteria:
    return PromotedCriteria(release="triage-1", bar=bar(*metrics))


@pytest.mark.parametrize(
    ("before", "now"),
    [
        (BEFORE, BEFORE),
        (BEFORE, BEFORE | {"at_least": 0.41}),
        (BEFORE, BEFORE | {"bound": "low"}),
        (BEFORE, BEFORE | {"name": "the same in other words"}),
        (BEFORE | {"bound": "high"}, BEFORE),
        (FAST, FAST | {"at_most": 899}),
        (FAST, FAST | {"bound": "high"}),
        (FAST | {"bound": "low"}, FAST),
        (KEPT, KEPT),
        (KEPT, KEPT | {"judged": "evaluation"}),
    ],
)
def test_who_asks_as_much_is_not_laxer(before: dict[str, Any], now: dict[str, Any]) -> None:
    assert relaxed_criteria(adopted(before), bar(now)) == []
    assert next_criteria(adopted(before), bar(now)) == bar(now)


@pytest.mark.parametrize(
    ("before", "now", "told"),
    [
        (BEFORE, BEFORE | {"at_least": 0.0}, "'right' (evaluate.exact_match) at least 0.4 becomes at least 0"),
        (BEFORE, BEFORE | {"bound": "high"}, "at least 0.4 becomes high end at least 0.4"),
        (BEFORE | {"bound": "low"}, BEFORE, "low end at least 0.4 becomes at least 0.4"),
        (BEFORE | {"bound": "low"}, BEFORE | {"at_least": 0.9}, "low end at least 0.4 becomes at least 0.9"),
        (BEFORE, {"name": "right", "fact": "evaluate.exact_match", "at_most": 1}, "at least 0.4 becomes at most 1"),
        (BEFORE, BEFORE | {"fact": "evaluate.rows"}, "at least 0.4 becomes none"),
        (BEFORE, BEFORE | {"judged": "production"}, "becomes at least 0.4, judged in production alone"),
        (FAST, FAST | {"at_most": 901}, "at most 900 becomes at most 901"),
        (FAST, FAST | {"bound": "low"}, "at most 900 becomes low end at most 900"),
        (KEPT, KEPT | {"at_least": 0.1}, "at least 0.6, judged in production alone becomes at least 0.1"),
    ],
)
def test_each_metric_that_asks_less_is_named_with_both_values(
    before: dict[str, Any], now: dict[str, Any], told: str
) -> None:
    (one,) = relaxed_criteria(adopted(before), bar(now))
    assert told in one
    assert next_criteria(adopted(before), bar(now)).success_metrics[-1] == SuccessMetric.model_validate(before)


@pytest.mark.parametrize(
    ("now", "told"),
    [
        (bar(BEFORE, confidence=0.51), "confidence of intervals 0.95 becomes 0.51"),
        (bar(BEFORE, judged_by="json language"), "figures about json intent become figures about json language"),
    ],
    ids=["intervals that are less sure", "figures about something easier"],
)
def test_what_tells_less_is_laxer(now: AcceptanceCriteria, told: str) -> None:
    assert relaxed_criteria(adopted(BEFORE), now) == [told]
    assert next_criteria(adopted(BEFORE), now) == bar(BEFORE)


def test_a_metric_that_was_waived_does_not_become_the_bar() -> None:
    after = next_criteria(adopted(BEFORE, FAST), bar(BEFORE | {"at_least": 0.1}, FAST | {"at_most": 800}))
    assert after == bar(FAST | {"at_most": 800}, BEFORE)


def test_the_first_version_is_held_to_its_own() -> None:
    assert relaxed_criteria(None, bar(BEFORE)) == []
    assert next_criteria(None, bar(BEFORE)) == bar(BEFORE)


@pytest.mark.parametrize(
    ("before", "now", "told"),
    [
        (400, 1, ["rows that the base model answers: 400 becomes 1"]),
        (None, 400, ["rows that the base model answers: all becomes 400"]),
        (400, None, []),
        (400, 500, []),
    ],
)
def test_a_gain_over_fewer_rows_is_laxer(before: int | None, now: int | None, told: list[str]) -> None:
    held = PromotedCriteria(release="triage-1", bar=bar(BEFORE, base_rows=before))
    assert relaxed_criteria(held, bar(BEFORE, base_rows=now)) == told
    assert next_criteria(held, bar(BEFORE, base_rows=now)).base_rows == (before if told else now)
