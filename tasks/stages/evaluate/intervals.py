"""Every figure with its interval, every comparison with its test.

Shares: Wilson score interval. Others: percentile bootstrap over rows. Gain: Newcombe's interval for paired shares
(Statistics in Medicine 17, 1998, method 10) and McNemar's exact test. Figures are rounded to DIGITS, so that the last
bits, which differ between processors, reach no digest.
"""

import itertools
import math
from collections.abc import Callable, Hashable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from tasks.core.config import Frozen

DIGITS = 6
Array = NDArray[np.floating]
Model = TypeVar("Model", bound=Hashable)
PORTION = 8_000_000
"""Numbers of a bootstrap held at once: 64 MB."""
POWER = 0.8
"""Chance of seeing a difference of the size called detectable."""


class Interval(Frozen):
    """A figure and the ends of its confidence interval: low <= value <= high."""

    value: float
    low: float
    high: float

    @classmethod
    def around(cls, value: float, low: float, high: float) -> "Interval":
        """Rounded, and widened where rounding or a skewed bootstrap would leave the figure outside."""
        value, low, high = (round(float(number), DIGITS) + 0.0 for number in (value, low, high))
        return cls(value=value, low=min(low, value), high=max(high, value))


def wilson(hits: int, rows: int, confidence: float) -> Interval:
    """The share hits / rows (rows >= 1) with its Wilson score interval."""
    from statsmodels.stats.proportion import proportion_confint

    low, high = proportion_confint(hits, rows, alpha=1 - confidence, method="wilson")
    return Interval.around(hits / rows, low, high)


@dataclass(frozen=True)
class Pairs:
    """The same rows answered by two models, counted: both right, gained (only the first), lost, neither."""

    both: int
    gained: int
    lost: int
    neither: int

    @property
    def rows(self) -> int:
        return self.both + self.gained + self.lost + self.neither

    def swapped(self) -> "Pairs":
        return Pairs(self.both, self.lost, self.gained, self.neither)


def count_pairs(first: Sequence[bool], second: Sequence[bool]) -> Pairs:
    """Count rows by which of two models is right; the sequences are of one length."""
    pairs = list(zip(first, second, strict=True))
    return Pairs(*(pairs.count(pair) for pair in ((True, True), (True, False), (False, True), (False, False))))


def mcnemar_p(pairs: Pairs) -> float:
    """Two-sided p of McNemar's exact test: would so unequal gains and losses arise from two equally good models?"""
    from statsmodels.stats.contingency_tables import mcnemar

    table = [[pairs.both, pairs.gained], [pairs.lost, pairs.neither]]
    return significant(min(1.0, float(mcnemar(table, exact=True).pvalue)))


def holm(ps: Sequence[float]) -> list[float]:
    """The p values corrected for their number (Holm, Scandinavian Journal of Statistics 6, 1979), in the same order.

    As statsmodels' multipletests, which collects garbage at every call: seconds, in a process that holds a model.
    """
    corrected, floor = [0.0] * len(ps), 0.0
    for rank, place in enumerate(sorted(range(len(ps)), key=lambda place: ps[place])):
        floor = max(floor, min(1.0, ps[place] * (len(ps) - rank)))
        corrected[place] = significant(floor)
    return corrected


def significant(p: float) -> float:
    """A p value to DIGITS significant digits, however small it is."""
    return float(f"{p:.{DIGITS}g}")


def paired_gain(pairs: Pairs, confidence: float) -> Interval:
    """Difference of the two models' shares, first minus second, by Newcombe's method 10 (rows >= 1)."""
    first = wilson(pairs.both + pairs.gained, pairs.rows, confidence)
    second = wilson(pairs.both + pairs.lost, pairs.rows, confidence)
    gain = (pairs.gained - pairs.lost) / pairs.rows
    phi = _correlation(pairs)
    below = _joint(first.value - first.low, second.high - second.value, phi)
    above = _joint(first.high - first.value, second.value - second.low, phi)
    return Interval.around(gain, gain - below, gain + above)


def _joint(first: float, second: float, phi: float) -> float:
    return math.sqrt(max(0.0, first**2 - 2 * phi * first * second + second**2))


def _correlation(pairs: Pairs) -> float:
    """Newcombe's phi, with his continuity correction where it is positive; 0 where a margin is empty."""
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


def smallest_detectable(pairs: Pairs, confidence: float) -> float:
    """The smallest true gain that McNemar's test on as many rows would show with POWER (Connor, Biometrics 43, 1987).

    Assumes as many rows on which the models differ as were seen; where those are too few to show anything, it is the
    gain that shows when all rows that differ are gains. At most 1.
    """
    from scipy.stats import norm

    alpha, beta = float(norm.isf((1 - confidence) / 2)), float(norm.isf(1 - POWER))

    def rows_needed(gain: float, differing: float) -> float:
        spread = alpha * math.sqrt(differing) + beta * math.sqrt(max(0.0, differing - gain**2))
        return (spread / gain) ** 2

    differing = (pairs.gained + pairs.lost) / pairs.rows
    steps = (step / 1000 for step in range(1, 1001))
    return next((gain for gain in steps if rows_needed(gain, max(differing, gain)) <= pairs.rows), 1.0)


def bootstrap(
    figures: Mapping[Model, Callable[[Array], Array]], rows: int, samples: int, seed: int
) -> dict[Model, Array]:
    """Each model's figure: first that of the rows as they are, then that of `samples` bootstrap samples.

    The models are judged on the same samples, so that their differences are paired.
    """
    draws = itertools.chain([np.ones((1, rows), np.float32)], resample(rows, samples, seed))
    parts = [{model: figure(weights) for model, figure in figures.items()} for weights in draws]
    return {model: np.concatenate([part[model] for part in parts]) for model in figures}


def resample(rows: int, samples: int, seed: int) -> Iterator[Array]:
    """How often each row is drawn in each bootstrap sample, in portions of samples × rows (float32, exact here)."""
    random = np.random.default_rng(seed)
    portion = max(1, PORTION // rows)
    for start in range(0, samples, portion):
        size = min(portion, samples - start)
        yield random.multinomial(rows, np.full(rows, 1 / rows), size=size).astype(np.float32)


def percentiles(value: float, samples: Array, confidence: float) -> Interval:
    """A figure with the percentile interval of its bootstrap samples."""
    low, high = np.quantile(samples, [(1 - confidence) / 2, (1 + confidence) / 2])
    return Interval.around(value, low, high)
