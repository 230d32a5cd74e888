"""Bootstrap intervals over items: the items of a round are drawn anew with replacement."""

from collections.abc import Callable

import numpy as np

from tasks.core.documents.config import FrozenModel
from tasks.labels.agreement.krippendorff import Floats

SAMPLES = 1_000
CONFIDENCE = 0.95
MIN_DEFINED_SHARE = 0.5
"""Minimum share of samples in which a figure is defined. With fewer, an interval would say little."""


class Figure(FrozenModel):
    """Figure with its interval; all are null if it is undefined."""

    value: float | None
    low: float | None = None
    high: float | None = None
    items: int
    """Number of items that it was computed from."""


def estimate(statistic: Callable[[Floats], float], items: int, seed: int, samples: int = SAMPLES) -> Figure:
    """Return a figure with its percentile interval.

    Args:
        statistic: Function of the number of times that each item counts. It returns NaN if the figure is undefined.
        items: Number of items.
        seed: Seed of the samples. Equal arguments give equal intervals.
        samples: Number of samples.
    """
    value = statistic(np.ones(items)) if items else float("nan")
    if np.isnan(value):
        return Figure(value=None, items=items)
    generator, shares = np.random.default_rng(seed), np.full(items, 1 / items)
    draws = (generator.multinomial(items, shares) for _ in range(samples))  # one at a time, since items may be many
    found = np.array([statistic(weights.astype(np.float64)) for weights in draws])
    defined = found[~np.isnan(found)]
    if items < 2 or len(defined) < samples * MIN_DEFINED_SHARE:
        return Figure(value=value, items=items)
    low, high = np.quantile(defined, [(1 - CONFIDENCE) / 2, (1 + CONFIDENCE) / 2])
    return Figure(value=value, low=float(low), high=float(high), items=items)
