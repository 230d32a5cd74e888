"""Calibration metrics against scikit-learn and plain loops, and the guarantee of the threshold for review."""

import math

import numpy as np
import pytest
from sklearn.metrics import brier_score_loss, roc_auc_score

from tasks.core.params.evaluation import Evaluation
from tasks.stages.evaluate.confidence import calibration, review_threshold, selective

SETTINGS = Evaluation(target="label", bootstrap_samples=100)
RANDOM = np.random.default_rng(5)


def drawn_rows(rows: int) -> tuple[calibration.Floats, calibration.Floats]:
    """Confidences with many ties, and correctness that depends on them."""
    confidence = RANDOM.beta(4, 1, rows).round(2)
    return confidence, (RANDOM.random(rows) < confidence**2).astype(float)


def plain_error(confidence: calibration.Floats, right: calibration.Floats, bins: np.ndarray) -> float:
    total = 0.0
    for number in set(bins.tolist()):
        rows = [place for place in range(len(bins)) if bins[place] == number]
        gap = sum(confidence[place] for place in rows) / len(rows) - sum(right[place] for place in rows) / len(rows)
        total += abs(gap) * len(rows) / len(bins)
    return total


def test_metrics_equal_those_of_references_also_in_a_bootstrap_sample() -> None:
    confidence, right = drawn_rows(300)
    bins = calibration.equal_mass_bins(confidence)
    counts = RANDOM.multinomial(300, np.full(300, 1 / 300), size=3)
    for drawn in (np.ones(300, int), *counts):
        weights = drawn[None, :].astype(np.float32)
        often = np.repeat(np.arange(300), drawn)
        expected = (
            plain_error(confidence[often], right[often], bins[often]),
            brier_score_loss(right[often], confidence[often]),
            roc_auc_score(right[often], confidence[often]),
        )
        found = [
            calibration.calibration_error(confidence, right, bins, weights)[0],
            calibration.brier_score(confidence, right, weights)[0],
            calibration.auroc(confidence, right, weights)[0],
        ]
        assert found == pytest.approx(expected, abs=1e-9)


def test_bins_have_equally_many_rows_and_ties_stay_together() -> None:
    assert np.bincount(calibration.equal_mass_bins(np.arange(100) / 100)).tolist() == [10] * 10
    assert set(calibration.equal_mass_bins(np.array([0.5] * 40)).tolist()) == {0}
    assert len(set(calibration.equal_mass_bins(np.arange(25) / 25).tolist())) == 2, "few rows make few bins"


def test_an_overconfident_model_is_told_from_an_honest_one() -> None:
    confidence = RANDOM.uniform(0.5, 1, 4000)
    honest = (RANDOM.random(4000) < confidence).astype(float)
    found = calibration.measure_calibration(confidence, honest, SETTINGS)
    boasting = calibration.measure_calibration(np.sqrt(confidence), honest, SETTINGS)
    assert found.error.value < 0.03 < 0.08 < boasting.error.low
    assert boasting.auroc == found.auroc, "the order of the answers is the same"
    assert found.curve[-1].coverage == 1 and found.curve[0].precision > found.curve[-1].precision
    assert sum(each.rows for each in found.bins) == 4000


def test_answers_that_are_all_right_have_no_auroc() -> None:
    assert calibration.measure_calibration(np.array([0.9, 0.8]), np.ones(2), SETTINGS).auroc is None


def test_the_threshold_keeps_its_promise_on_rows_to_come() -> None:
    """A third of the confidence levels are worse than required; a threshold that admits one breaks the promise."""
    levels = np.array([0.2, 0.5, 0.8, 0.9, 0.95, 0.99])
    truth = np.array([0.1, 0.4, 0.85, 0.93, 0.97, 0.995])
    broken, coverage = 0, []
    for _ in range(400):
        drawn = RANDOM.integers(0, 6, 400)
        right = (RANDOM.random(400) < truth[drawn]).astype(float)
        rule = review_threshold.choose_threshold(levels[drawn], right, 0.9, 0.9)
        released = truth[levels > rule.threshold]
        broken += bool(len(released)) and released.mean() < 0.9
        coverage.append(len(released) / 6)
        assert rule.released == (levels[drawn] > rule.threshold).sum()
    assert broken <= 400 * 0.1, "at most a tenth, as guaranteed"
    assert np.mean(coverage) > 0.45, "and not by reviewing all: two thirds could be released"


@pytest.mark.parametrize(
    ("rows", "wrong", "released"),
    [(116, 0, 0), (117, 0, 117), (400, 0, 400), (400, 300, 0)],
    ids=["too few to prove it", "just enough", "all right", "mostly wrong"],
)
def test_few_rows_prove_nothing(rows: int, wrong: int, released: int) -> None:
    confidence, right = np.linspace(0.5, 1, rows), np.ones(rows)
    right[::-1][:wrong] = 0
    rule = review_threshold.choose_threshold(confidence, right, 0.95, 0.95)
    assert (rule.released, rule.threshold) == (released, 0.0 if released else review_threshold.REVIEW_ALL)
    assert math.log(0.05 / review_threshold.LEVELS) / math.log(0.95) == pytest.approx(116.8, abs=0.1)


def test_a_rule_that_releases_nothing_has_no_precision() -> None:
    rule = review_threshold.choose_threshold(np.array([0.9]), np.array([1.0]), 0.95, 0.95)
    found = selective.apply_rule(rule, np.array([1.0, 0.4]), np.array([1.0, 0.0]), 0.95)
    assert (found.released, found.coverage.value, found.precision) == (0, 0.0, None)
