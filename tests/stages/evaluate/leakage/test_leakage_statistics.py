"""Figures of leakage against scipy and statsmodels, and by counting."""

import itertools
import math

import numpy as np
import pytest
from scipy.stats import binomtest, mannwhitneyu
from statsmodels.stats.proportion import confint_proportions_2indep

from tasks.core.records import canaries
from tasks.stages.evaluate import uncertainty
from tasks.stages.evaluate.leakage import canary_ranks, membership, regurgitation
from tests.stages.evaluate import house


@pytest.mark.parametrize(("places", "count"), [(4, 3), (16, 2), (8, 1)])
def test_chance_is_never_overstated(places: int, count: int) -> None:
    """Over all ranks that chance can give, p is at most a with probability at most a."""
    every = sorted(
        canary_ranks.chance_p(ranks, places) for ranks in itertools.product(range(1, places + 1), repeat=count)
    )
    assert all((number + 1) / len(every) <= p + 1e-5 for number, p in enumerate(every) if p not in every[number + 1 :])
    assert canary_ranks.chance_p([1] * 20, 128) < 1e-12


def test_a_rank_counts_equal_losses_and_what_is_no_number_against_the_attack() -> None:
    assert canary_ranks.rank_of_first([1.0, 2.0, 0.5]) == 2
    assert canary_ranks.rank_of_first([1.0, 1.0, 1.0]) == 3
    assert canary_ranks.rank_of_first([math.nan, 1.0, 2.0]) == canary_ranks.rank_of_first([1.0, math.nan, 0.0]) == 3
    found = canary_ranks.canary_results(
        ["a", "b"], [[0.0, 1, 2, 3], [9.0, 1, 2, 3]], [True, False], house.params().evaluation
    )
    assert [each.exposure for each in found.canaries] == [2, 0] and found.mean_rank.value == 0.625


def test_the_area_under_the_curve() -> None:
    random = np.random.default_rng(1)
    members, others = random.normal(1, 1, 40).round(1), random.normal(0, 1, 70).round(1)
    area = membership.area_under_curve(members, others)
    assert area == pytest.approx(mannwhitneyu(members, others).statistic / (40 * 70))
    inside = [membership.auc_interval(area, 40, 70, level) for level in (0.9, 0.99)]
    assert inside[1].low < inside[0].low < area < inside[0].high < inside[1].high
    perfect = membership.auc_interval(1.0, 40, 70, 0.95)
    assert 0.8 < perfect.low < perfect.high == 1 and membership.auc_interval(0.0, 40, 70, 0.95).low == 0


def test_its_interval_covers_as_often_as_it_says() -> None:
    random, covered = np.random.default_rng(2), 0
    true = 0.76025  # of two normal distributions that are 1 apart
    for _ in range(300):
        area = membership.area_under_curve(random.normal(1, 1, 30), random.normal(0, 1, 30))
        interval = membership.auc_interval(area, 30, 30, 0.95)
        covered += interval.low <= true <= interval.high
    assert 0.92 < covered / 300 < 0.99


def test_the_rate_at_few_false_positives() -> None:
    others = np.arange(100.0)
    rate = membership.attack_rate(np.array([98.0, 98.5, 99.5, 3.0]), others, 0.01, 0.95)
    assert (rate.allowed, rate.is_underpowered, rate.true_positive_rate.value) == (1, False, 0.5)
    alone = membership.attack_rate(np.array([98.5, 99.5]), others[:99], 0.01, 0.95)
    assert (alone.allowed, alone.is_underpowered) == (0, True)


@pytest.mark.parametrize("hits", [0, 1, 7, 20])
def test_intervals_of_proportions(hits: int) -> None:
    ours, exact = uncertainty.exact_interval(hits, 20, 0.9), binomtest(hits, 20).proportion_ci(0.9, "exact")
    assert (ours.low, ours.high) == pytest.approx((exact.low, exact.high), abs=1e-6)
    first, second = (uncertainty.wilson_interval(count, rows, 0.9) for count, rows in ((hits, 20), (5, 30)))
    apart = uncertainty.independent_difference(first, second)
    wanted = confint_proportions_2indep(hits, 20, 5, 30, method="newcomb", compare="diff", alpha=0.1)
    assert (apart.low, apart.high) == pytest.approx(wanted, abs=1e-5)


def test_likeness_and_alternatives() -> None:
    assert regurgitation.likeness(" the  same\n", "the same") == 1
    assert 0.9 <= regurgitation.likeness("the same text as before", "the same text as befora") < 1
    canary = canaries.make_canary(0, house.row(1), seed=5)
    others = canaries.draw_alternatives(canary, 127, seed=5)
    assert len({*others, canaries.secret_of(canary)}) == 128 and {len(each) for each in others} == {9}
