"""Confidence above which answers need no review, with a guarantee that holds for any number of calibration rows.

The method is Learn then Test (Angelopoulos et al., Annals of Applied Statistics 19, 2025). Each of LEVELS thresholds is
tested against the hypothesis that its precision is below the required one, by the exact binomial test, which inverts
the bound of Clopper and Pearson (Biometrika 26, 1934). Bonferroni's correction makes the guarantee hold for all of them
at once, so that the lowest threshold that passes can be chosen.

The thresholds are the confidences at fixed ranks. Above such a threshold, rows are independent draws from all rows of
higher confidence, so each test is exact. A fixed sequence of tests would save the correction, but it needs thresholds
that do not depend on the rows, and nobody knows in advance where the confidences of a model lie.
"""

import math

import numpy as np

from tasks.stages.evaluate.confidence.calibration import Floats
from tasks.stages.evaluate.confidence.schema import ReviewRule

LEVELS = 20
"""Number of thresholds that are tested."""
REVIEW_ALL = 1.0
"""Threshold above which no confidence lies."""


def choose_threshold(confidence: Floats, right: Floats, required_precision: float, guarantee: float) -> ReviewRule:
    """Choose the threshold that releases the most answers and has the required precision.

    The rows must be drawn like the rows to come, and must have had no influence on the model.

    Args:
        confidence: Confidence of the answer to each calibration row, from 0 to 1.
        right: 1 for each right answer, 0 for each wrong one.
        required_precision: Required proportion of right answers among those above the threshold.
        guarantee: Probability with which this has to hold.
    """
    from scipy.stats import binom

    level = (1 - guarantee) / LEVELS
    descending = np.sort(confidence)[::-1]
    for rank in tested_ranks(len(right), required_precision, guarantee)[::-1]:
        # Without a row of lower confidence, only those without an answer (confidence 0) are reviewed.
        threshold = float(descending[rank]) if rank < len(right) else 0.0
        above = confidence > threshold
        released, hits = int(above.sum()), int(right[above].sum())
        if released and float(binom.sf(hits - 1, released, required_precision)) <= level:
            return _rule(required_precision, guarantee, len(right), threshold, released, hits)
    return _rule(required_precision, guarantee, len(right), REVIEW_ALL, 0, 0)


def _rule(required: float, guarantee: float, rows: int, threshold: float, released: int, right: int) -> ReviewRule:
    return ReviewRule(
        required_precision=required,
        guarantee=guarantee,
        rows=rows,
        threshold=threshold,
        released=released,
        right=right,
    )


def tested_ranks(rows: int, required_precision: float, guarantee: float) -> list[int]:
    """Return the numbers of most confident rows that are tested, ascending. They depend on no confidence or label."""
    fewest = fewest_rows(required_precision, guarantee)
    if rows < fewest:
        return []
    return sorted({round(rank) for rank in np.linspace(fewest, rows, LEVELS).tolist()})


def fewest_rows(required_precision: float, guarantee: float) -> int:
    """Return the smallest number of calibration rows that can prove the precision, if all answers are right."""
    return math.ceil(math.log((1 - guarantee) / LEVELS) / math.log(required_precision))
