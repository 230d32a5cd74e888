"""Figures of a few rows worked out by hand, whole and by slice."""

from typing import Any

import pytest

from tasks.core.params.evaluation import Evaluation
from tasks.stages.evaluate import model_comparison, scoring, uncertainty
from tasks.stages.evaluate.judged_rows import SLICE_FIELDS, JudgedAnswer, JudgedRow
from tasks.stages.evaluate.metrics_schema import GroupMetrics
from tasks.stages.evaluate.uncertainty import Interval, PairedCounts
from tests.stages.evaluate.house import params


def settings(**changes: Any) -> Evaluation:
    return params(target="label", label_field=None, **changes).evaluation


def example(number: int, label: str, base: str, candidate: str, language: str = "en") -> JudgedRow:
    def said(text: str) -> JudgedAnswer:
        return JudgedAnswer(text, text == label, text in "ab", text, "")

    slices = {"department": "d", "language": language, "kind": "answer", "source": "s"}
    return JudgedRow(f"{number}", slices, "p", label, label, {"base": said(base), "candidate": said(candidate)})


ROWS = [
    example(1, "a", "b", "a"),
    example(2, "a", "?", "a"),
    example(3, "a", "a", "b"),
    example(4, "b", "?", "b", "de"),
    example(5, "b", "?", "?", "de"),
]


def test_figures_by_hand() -> None:
    found = scoring.compute_metrics(ROWS, settings())
    candidate, compared = found.overall.scores["candidate"], found.overall.comparisons["base"]
    assert found.overall.rows == 5
    assert candidate["exact_match"] == uncertainty.wilson_interval(3, 5, 0.95)
    assert candidate["format_adherence"] == uncertainty.wilson_interval(4, 5, 0.95)
    assert found.overall.scores["base"]["format_adherence"] == uncertainty.wilson_interval(2, 5, 0.95)
    # a: 2·2/(3+2); b: 2·1/(2+2)
    assert candidate["macro_f1"].value == pytest.approx((0.8 + 0.5) / 2)
    # base, a: 2·1/(3+1); b: 0
    assert compared.gains["macro_f1"].value == pytest.approx(0.65 - 0.25)
    assert (compared.gained, compared.lost, compared.gain.value) == (3, 1, 0.4)
    assert compared.p == pytest.approx(2 * (1 + 4) / 2**4)
    assert compared.p_holm == compared.p
    assert compared.verdict == "undecided"
    assert [(it.label, it.rows, it.precision, it.recall) for it in found.labels] == [
        ("a", 3, 1.0, 0.666667),
        ("b", 2, 0.5, 0.5),
    ]
    assert [(it.expected, it.answered, it.rows) for it in found.confusions] == [("a", "b", 1), ("b", "?", 1)]


def test_every_row_stands_in_one_slice_of_each_kind() -> None:
    found = scoring.compute_metrics(ROWS, settings())
    by_language = [group for group in found.slices if group.by == "language"]
    assert [(group.value, group.rows) for group in by_language] == [("de", 2), ("en", 3)]
    assert by_language[0].scores["candidate"]["exact_match"].value == 0.5
    for by in SLICE_FIELDS:
        assert sum(group.rows for group in found.slices if group.by == by) == 5


def test_a_slice_is_judged_as_its_rows_alone_would_be() -> None:
    alone = scoring.compute_metrics([row for row in ROWS if row.slices["language"] == "en"], settings())
    group = next(group for group in scoring.compute_metrics(ROWS, settings()).slices if group.value == "en")
    assert group.scores == alone.overall.scores


def many(language: str, gained: int, same: int) -> list[JudgedRow]:
    rows = [example(number, "a", "b", "a", language) for number in range(gained)]
    return rows + [example(number, "a", "a", "a", language) for number in range(gained, gained + same)]


def test_slices_are_corrected_for_their_number() -> None:
    # Alone, six gains and no loss have p = 2/2^6 = 0.031; among three slices that is no longer a finding.
    rows = [*many("de", 6, 20), *many("en", 0, 20), *many("fr", 1, 20)]
    found = [group for group in scoring.compute_metrics(rows, settings()).slices if group.by == "language"]
    ps = [group.comparisons["base"].p for group in found]
    assert ps == [2 / 2**6, 1.0, 1.0]
    assert [g.comparisons["base"].p_holm for g in found] == uncertainty.holm_correction(ps)
    assert [g.comparisons["base"].verdict for g in found] == ["undecided"] * 3
    alone = scoring.compute_metrics(many("de", 6, 20), settings())
    assert alone.overall.comparisons["base"].verdict == "better"


@pytest.mark.parametrize(
    ("gain", "p", "verdict"),
    [
        (Interval(value=0.1, low=0.05, high=0.2), 0.01, "better"),
        (Interval(value=-0.1, low=-0.2, high=-0.05), 0.01, "worse"),
        (Interval(value=0.1, low=-0.01, high=0.2), 0.01, "undecided"),
        (Interval(value=0.1, low=0.05, high=0.2), 0.05, "undecided"),
        (Interval(value=0.0, low=0.0, high=0.0), 1.0, "undecided"),
    ],
)
def test_a_verdict_needs_the_test_and_the_interval(gain: Interval, p: float, verdict: str) -> None:
    assert model_comparison.verdict(gain, p, 0.95) == verdict


def test_the_other_way_round_is_worse() -> None:
    swapped = model_comparison.compare_models(PairedCounts(10, 0, 12, 3), {}, 0.95)
    assert (swapped.verdict, swapped.gained, swapped.lost) == ("worse", 0, 12)


def test_the_same_rows_give_the_same_figures_and_another_seed_others() -> None:
    def figures(**changes: Any) -> GroupMetrics:
        return scoring.compute_metrics(many("en", 9, 11), settings(**changes)).overall

    rows = figures()
    assert rows == figures()
    assert rows.scores["base"]["macro_f1"] != figures(seed=99).scores["base"]["macro_f1"]
    assert rows.scores["base"]["exact_match"] == figures(seed=99).scores["base"]["exact_match"]
