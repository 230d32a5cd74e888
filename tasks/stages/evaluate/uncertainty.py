"""Confidence intervals of metrics, and significance tests of comparisons.

Proportions have a Wilson score interval, and other metrics a percentile bootstrap over rows. Gains have Newcombe's
interval for paired proportions (Statistics in Medicine 17, 1998, method 10) and McNemar's exact test. The last bits of
a value differ between processors. Values are therefore rounded to DECIMALS before they are written and digested.
"""

import itertools
import math
from collections.abc import Callable, Hashable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from tasks.core import power
from tasks.core.documents.config import FrozenModel

DECIMALS = 6
"""Number of decimal places of values and interval bounds, and of significant digits of p-values."""
Array = NDArray[np.floating]
Model = TypeVar("Model", bound=Hashable)
MAX_RESAMPLE_COUNTS = 8_000_000
"""Maximum number of resample counts that a bootstrap holds in memory at once. At 8 bytes each, they take 64 MB."""


class Interval(FrozenModel):
    """Value of a metric with the bounds of its confidence interval: low <= value <= high."""

    value: float
    low: float
    high: float

    @classmethod
    def rounded(cls, value: float, low: float, high: float) -> "Interval":
        """Round the three numbers. Widen the interval if it does not contain the value.

        Rounding or a skewed bootstrap can put the value outside of the interval.
        """
        value, low, high = (round(float(number), DECIMALS) + 0.0 for number in (value, low, high))
        return cls(value=value, low=min(low, value), high=max(high, value))


def wilson_interval(hits: int, rows: int, confidence: float) -> Interval:
    """Return the proportion hits / rows with its Wilson score interval. There must be at least one row."""
    from statsmodels.stats.proportion import proportion_confint

    low, high = proportion_confint(hits, rows, alpha=1 - confidence, method="wilson")
    return Interval.rounded(hits / rows, low, high)


def exact_interval(hits: float, rows: float, confidence: float) -> Interval:
    """Return the proportion hits / rows with the exact interval of Clopper and Pearson (Biometrika 26, 1934).

    `rows` is more than 0, and the numbers need not be whole: a cluster sample has an effective number of rows.
    """
    from scipy.stats import beta

    tail = (1 - confidence) / 2
    low = float(beta.ppf(tail, hits, rows - hits + 1)) if hits > 0 else 0.0
    high = float(beta.ppf(1 - tail, hits + 1, rows - hits)) if hits < rows else 1.0
    return Interval.rounded(hits / rows, low, high)


@dataclass(frozen=True)
class PairedCounts:
    """Numbers of rows answered correctly by both models, only the first (gained), only the second (lost) or neither."""

    both: int
    gained: int
    lost: int
    neither: int

    @property
    def rows(self) -> int:
        return self.both + self.gained + self.lost + self.neither

    def swapped(self) -> "PairedCounts":
        return PairedCounts(self.both, self.lost, self.gained, self.neither)


def count_pairs(first: Sequence[bool], second: Sequence[bool]) -> PairedCounts:
    pairs = list(zip(first, second, strict=True))
    return PairedCounts(*(pairs.count(pair) for pair in ((True, True), (True, False), (False, True), (False, False))))


def mcnemar_p(pairs: PairedCounts) -> float:
    """Return the two-sided p-value of McNemar's exact test, under the hypothesis that both models are equally good."""
    from statsmodels.stats.contingency_tables import mcnemar

    table = [[pairs.both, pairs.gained], [pairs.lost, pairs.neither]]
    return round_p_value(min(1.0, float(mcnemar(table, exact=True).pvalue)))


def holm_correction(p_values: Sequence[float]) -> list[float]:
    """Return p-values corrected for multiple tests by Holm's method (Scandinavian Journal of Statistics 6, 1979).

    The results have the order of `p_values` and equal those of statsmodels' `multipletests`. That function is not used
    because it runs the garbage collector at every call, which takes seconds in a process that holds a model.
    """
    corrected, floor = [0.0] * len(p_values), 0.0
    for rank, place in enumerate(sorted(range(len(p_values)), key=lambda place: p_values[place])):
        floor = max(floor, min(1.0, p_values[place] * (len(p_values) - rank)))
        corrected[place] = round_p_value(floor)
    return corrected


def round_p_value(p: float) -> float:
    """Round a p-value to DECIMALS significant digits, so that small p-values remain precise."""
    return float(f"{p:.{DECIMALS}g}")


def paired_gain(pairs: PairedCounts, confidence: float) -> Interval:
    """Return the first model's proportion of correct answers minus the second's, with Newcombe's interval (method 10).

    There must be at least one row.
    """
    first = wilson_interval(pairs.both + pairs.gained, pairs.rows, confidence)
    second = wilson_interval(pairs.both + pairs.lost, pairs.rows, confidence)
    return paired_difference(first, second, pairs)


def paired_difference(first: Interval, second: Interval, pairs: PairedCounts) -> Interval:
    """Return the difference of two paired proportions, with the interval that Newcombe combines from theirs."""
    return _difference(first, second, (pairs.gained - pairs.lost) / pairs.rows, _newcombe_phi(pairs))


def independent_difference(first: Interval, second: Interval) -> Interval:
    """Return the difference of two independent proportions, with Newcombe's interval (Statistics in Medicine 17, 1998).

    The intervals of the proportions are Wilson score intervals.
    """
    return _difference(first, second, first.value - second.value, phi=0.0)


def _difference(first: Interval, second: Interval, value: float, phi: float) -> Interval:
    below = _combined_margin(first.value - first.low, second.high - second.value, phi)
    above = _combined_margin(first.high - first.value, second.value - second.low, phi)
    return Interval.rounded(value, value - below, value + above)


def _combined_margin(first: float, second: float, phi: float) -> float:
    return math.sqrt(max(0.0, first**2 - 2 * phi * first * second + second**2))


def _newcombe_phi(pairs: PairedCounts) -> float:
    """Return Newcombe's phi, with his continuity correction if it is positive; 0 if a marginal total is 0."""
    product = pairs.both * pairs.neither - pairs.gained * pairs.lost
    margins = (
        (pairs.both + pairs.gained)
        * (pairs.lost + pairs.neither)
        * (pairs.both + pairs.lost)
        * (pairs.gained + pairs.neither)
    )
    if margins == 0:
        return 0.0
    corrected = max(product - pairs.rows / 2, 0.0) if product > 0 else float(product)
    return corrected / math.sqrt(margins)


def smallest_detectable_gain(pairs: PairedCounts, confidence: float) -> float:
    """Return the smallest true gain that McNemar's test would detect on so many rows with so many differing answers."""
    return power.smallest_detectable_gain(pairs.rows, (pairs.gained + pairs.lost) / pairs.rows, confidence)


def bootstrap_metric(
    metric_functions: Mapping[Model, Callable[[Array], Array]], rows: int, samples: int, seed: int
) -> dict[Model, Array]:
    """Return each model's metric, first for the original rows and then for each of `samples` bootstrap samples.

    All models use the same samples, so that differences between models are paired.

    Args:
        metric_functions: Functions by model that compute the metric from the resample counts of the rows (samples ×
            rows).
        rows: Number of rows.
        samples: Number of bootstrap samples.
        seed: Seed of the random numbers.
    """
    draws = itertools.chain([np.ones((1, rows), np.float32)], resample(rows, samples, seed))
    parts = [{model: figure(weights) for model, figure in metric_functions.items()} for weights in draws]
    return {model: np.concatenate([part[model] for part in parts]) for model in metric_functions}


def resample(rows: int, samples: int, seed: int) -> Iterator[Array]:
    """Yield how often each row is drawn in each bootstrap sample, as arrays of samples × rows.

    The arrays are float32, which represents these counts exactly. Their size is limited to save memory.
    """
    random = np.random.default_rng(seed)
    portion = max(1, MAX_RESAMPLE_COUNTS // rows)
    for start in range(0, samples, portion):
        size = min(portion, samples - start)
        yield random.multinomial(rows, np.full(rows, 1 / rows), size=size).astype(np.float32)


def percentile_interval(value: float, samples: Array, confidence: float) -> Interval:
    low, high = np.quantile(samples, [(1 - confidence) / 2, (1 + confidence) / 2])
    return Interval.rounded(value, low, high)
