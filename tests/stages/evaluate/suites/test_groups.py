"""Lowest pass rate and largest difference of groups, with intervals that hold for all groups at once."""

import numpy as np
import pytest

from tasks.stages.evaluate import uncertainty
from tasks.stages.evaluate.suites.groups import compare_groups
from tasks.stages.evaluate.suites.statistics import Outcomes


def outcomes(passed: int, of: int, name: str = "") -> Outcomes:
    return Outcomes([place < passed for place in range(of)], [f"{name}{place}" for place in range(of)])


def test_two_groups_have_newcombes_interval_and_the_exact_one_at_half_the_level() -> None:
    found = compare_groups("gender", {"female": outcomes(45, 50), "male": outcomes(30, 50)}, 0.95)
    assert (found.lowest, found.best, found.worst) == ("male", "female", "male")
    wilson = [uncertainty.wilson_interval(hits, 50, 0.95) for hits in (45, 30)]
    assert found.largest_difference == uncertainty.independent_difference(*wilson)
    assert found.lowest_rate == uncertainty.exact_interval(30, 50, 0.975)


def test_equal_groups_differ_by_nothing_and_the_interval_says_by_how_much_they_may() -> None:
    found = compare_groups("origin", {name: outcomes(20, 20) for name in "abc"}, 0.95)
    assert found.largest_difference.value == found.largest_difference.low == 0 < found.largest_difference.high
    assert found.lowest_rate.value == 1


@pytest.mark.parametrize("rates", [(0.8, 0.8, 0.8, 0.8, 0.8), (0.9, 0.8, 0.8, 0.6, 0.8)])
def test_the_intervals_hold_for_the_groups_that_are_farthest_apart(rates: tuple[float, ...]) -> None:
    random = np.random.default_rng(4)
    held = {"difference": 0, "lowest": 0}
    for _ in range(200):
        hits = random.binomial(60, rates)
        found = compare_groups("g", {str(n): outcomes(int(hit), 60) for n, hit in enumerate(hits)}, 0.95)
        held["difference"] += covers(found.largest_difference, max(rates) - min(rates))
        held["lowest"] += covers(found.lowest_rate, min(rates))
    assert min(held.values()) >= 0.93 * 200


def covers(interval: uncertainty.Interval, value: float) -> bool:
    return interval.low - 1e-9 <= value <= interval.high + 1e-9
