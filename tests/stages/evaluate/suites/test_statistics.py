"""Pass rates and gains: exact without clusters, and honest where cases of one row go together."""

import numpy as np
import pytest
from scipy.stats import t
from statsmodels.stats.proportion import proportion_confint

from tasks.stages.evaluate import uncertainty
from tasks.stages.evaluate.suites import statistics
from tasks.stages.evaluate.suites.statistics import Outcomes


def alone(passed: list[bool]) -> Outcomes:
    return Outcomes(passed, [str(place) for place in range(len(passed))])


@pytest.mark.parametrize(("hits", "of"), [(0, 5), (5, 5), (3, 40), (39, 40), (1, 1)])
def test_without_clusters_it_is_the_interval_of_clopper_and_pearson(hits: int, of: int) -> None:
    found = statistics.pass_rate(alone([place < hits for place in range(of)]), 0.95)
    low, high = proportion_confint(hits, of, alpha=0.05, method="beta")
    assert (found.value, found.low, found.high) == pytest.approx((hits / of, low, high), abs=1e-6)


def test_variants_of_one_row_that_go_together_count_as_one_case() -> None:
    rows = [True] * 16 + [False] * 4
    copied = Outcomes([passed for passed in rows for _ in range(5)], [str(row) for row in range(20) for _ in range(5)])
    assert copied.effective_cases(0.95) == pytest.approx(20, rel=0.2)
    wide, narrow = statistics.pass_rate(copied, 0.95), statistics.pass_rate(alone(list(copied.passed)), 0.95)
    assert wide.high - wide.low > 1.9 * (narrow.high - narrow.low)
    every = Outcomes([True] * 100, copied.clusters)
    assert statistics.pass_rate(every, 0.95).low == pytest.approx(0.025 ** (1 / 20), abs=1e-6), "20 rows, not 100 cases"
    assert Outcomes([True] * 9, ["row"] * 9).effective_cases(0.95) == 1


def test_the_interval_covers_the_truth_though_cases_go_together() -> None:
    random = np.random.default_rng(5)
    covered = 0
    for _ in range(300):
        chances = random.beta(4, 1, size=30)
        passed = random.random((30, 4)) < chances[:, None]
        found = statistics.pass_rate(
            Outcomes(passed.ravel().tolist(), [str(row) for row in range(30) for _ in range(4)]), 0.9
        )
        covered += found.low <= 0.8 <= found.high
    assert covered >= 0.87 * 300


def test_the_gain_is_that_of_newcombe_without_clusters() -> None:
    ours, theirs = [True] * 30 + [False] * 10, [True] * 22 + [False] * 12 + [True] * 6
    expected = uncertainty.paired_gain(uncertainty.count_pairs(ours, theirs), 0.95)
    assert statistics.gain(alone(ours), alone(theirs), 0.95) == expected


def test_rows_are_paired_not_their_variants() -> None:
    clusters = ["a"] * 3 + ["b"] * 3 + ["c"] * 3
    ours = Outcomes([True, True, False] + [False] * 3 + [True] * 3, clusters)
    theirs = Outcomes([False] * 3 + [True, False, False] + [True] * 3, clusters)
    pairs = statistics.cluster_pairs(ours, theirs)
    assert (pairs.both, pairs.gained, pairs.lost, pairs.neither) == (1, 1, 1, 0)


def test_equal_models_are_seldom_told_apart() -> None:
    random, found = np.random.default_rng(6), 0
    clusters = [str(row) for row in range(25) for _ in range(4)]
    for _ in range(200):
        chances = np.repeat(random.beta(2, 2, size=25), 4)
        one, other = (Outcomes((random.random(100) < chances).tolist(), clusters) for _ in range(2))
        found += uncertainty.mcnemar_p(statistics.cluster_pairs(one, other)) < 0.05
    assert found <= 0.08 * 200


def test_the_effective_number_of_cases_is_that_of_korn_and_graubard() -> None:
    """Computed by hand: p = 6/12, residuals ±1.5 and ±.5 of four rows, variance 4/3 · 5/144."""
    clusters = [row for row in "abcd" for _ in range(3)]
    passed = [True] * 3 + [True, True, False] + [True, False, False] + [False] * 3
    factor = (t.ppf(0.975, 11) / t.ppf(0.975, 3)) ** 2
    expected = 0.25 / (4 / 3 * 5 / 144) * factor
    assert Outcomes(passed, clusters).effective_cases(0.95) == pytest.approx(expected, rel=1e-9)
