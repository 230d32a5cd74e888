"""The number of rows that a comparison asks for, against the power of McNemar's exact test by enumeration."""

import math

import pytest
from scipy.stats import binom

from tasks.core import power

LEVEL = 0.05


def exact_power(rows: int, gain: float, differing: float) -> float:
    """Probability that McNemar's exact test detects the gain in the right direction."""
    better = (differing + gain) / 2 / differing
    total = 0.0
    for differ in range(1, rows + 1):
        lost = int(binom.ppf(LEVEL / 2, differ, 0.5))
        while lost >= 0 and 2 * binom.cdf(lost, differ, 0.5) >= LEVEL:
            lost -= 1
        total += binom.pmf(differ, rows, differing) * binom.cdf(lost, differ, 1 - better)
    return float(total)


@pytest.mark.parametrize(("gain", "differing"), [(0.05, 0.1), (0.1, 0.2), (0.02, 0.05)])
def test_the_rows_asked_for_detect_the_gain_four_times_in_five_and_hardly_more(gain: float, differing: float) -> None:
    assert 0.8 <= exact_power(math.ceil(power.rows_needed(gain, differing, 1 - LEVEL)), gain, differing) < 0.83


@pytest.mark.parametrize(("rows", "differing"), [(120, 0.3), (400, 0.2), (1000, 0.1)])
def test_the_smallest_detectable_gain_is_the_first_with_enough_rows(rows: int, differing: float) -> None:
    gain = power.smallest_detectable_gain(rows, differing, 1 - LEVEL)
    assert power.rows_needed(gain, differing, 1 - LEVEL) <= rows < power.rows_needed(gain - 0.001, differing, 1 - LEVEL)
    assert exact_power(rows, gain, differing) >= 0.79


def test_hardly_any_rows_show_nothing() -> None:
    assert power.smallest_detectable_gain(1, 0.1, 1 - LEVEL) == 1
