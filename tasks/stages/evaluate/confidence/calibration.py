"""Confidence against correctness: whether of 100 answers with a confidence of 90 %, about 90 are right.

The confidence of an answer is the probability that the model gave to it as a whole.
"""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from tasks.core.params.evaluation import Evaluation
from tasks.stages.evaluate import uncertainty
from tasks.stages.evaluate.confidence.schema import Calibration, CurvePoint, ReliabilityBin
from tasks.stages.evaluate.uncertainty import DECIMALS, Array, Interval

BINS = 10
"""Maximum number of bins of the calibration error."""
MIN_ROWS_PER_BIN = 10
"""Minimum number of rows in a bin. With fewer rows there are fewer bins, because the proportion of right answers in a
small bin is mostly chance, which the calibration error would count as an error of the confidence."""
CURVE_POINTS = 200
Floats = NDArray[np.float64]


def measure_calibration(confidence: Floats, right: Floats, settings: Evaluation) -> Calibration:
    """Measure the calibration of answers, with bootstrap intervals over rows.

    Args:
        confidence: Confidence of each answer, from 0 to 1. There must be at least one.
        right: 1 for each right answer, 0 for each wrong one.
        settings: Section `evaluation` of params.yaml.
    """
    bins = equal_mass_bins(confidence)
    functions: dict[str, Callable[[Array], Array]] = {
        "error": lambda drawn: calibration_error(confidence, right, bins, drawn),
        "brier": lambda drawn: brier_score(confidence, right, drawn),
        "auroc": lambda drawn: auroc(confidence, right, drawn),
    }
    samples = uncertainty.bootstrap_metric(functions, len(right), settings.bootstrap_samples, settings.seed)
    return Calibration(
        rows=len(right),
        error=_interval(samples["error"], settings),
        brier=_interval(samples["brier"], settings),
        auroc=_interval(samples["auroc"], settings) if 0 < right.sum() < len(right) else None,
        bins=[_bin(confidence[bins == number], right[bins == number]) for number in np.unique(bins)],
        curve=risk_coverage_curve(confidence, right),
    )


def _interval(values: Array, settings: Evaluation) -> Interval:
    drawn = values[1:][~np.isnan(values[1:])]  # a sample in which all answers are right has no AUROC
    return uncertainty.percentile_interval(float(values[0]), drawn, settings.confidence)


def _bin(confidence: Floats, right: Floats) -> ReliabilityBin:
    return ReliabilityBin(
        rows=len(right),
        confidence=round(float(confidence.mean()), DECIMALS),
        right=round(float(right.mean()), DECIMALS),
    )


def equal_mass_bins(confidence: Floats) -> NDArray[np.int64]:
    """Return the number of each row's bin. The bins have about equally many rows, and equal values share a bin.

    Bins of equal width would be empty or crowded, because most answers of a fine-tuned model have a confidence near 1
    (Nixon et al., Measuring Calibration in Deep Learning, CVPR workshops 2019).
    """
    count = max(1, min(BINS, len(confidence) // MIN_ROWS_PER_BIN))
    lower = np.searchsorted(np.sort(confidence), confidence, side="left")
    return (lower * count // len(confidence)).astype(np.int64)


def calibration_error(confidence: Floats, right: Floats, bins: NDArray[np.int64], drawn: Array) -> Array:
    """Return the expected calibration error of each bootstrap sample.

    It is the mean, over the rows, of the distance between mean confidence and proportion of right answers in their bin.
    Source: Naeini et al., Obtaining Well Calibrated Probabilities Using Bayesian Binning, AAAI 2015. `drawn` contains
    the resample counts of the rows (samples × rows).
    """
    members = (bins[:, None] == np.unique(bins)).astype(np.float64)
    gaps = drawn.astype(np.float64) @ (members * (confidence - right)[:, None])
    errors: Array = np.abs(gaps).sum(axis=1) / drawn.sum(axis=1, dtype=np.float64)
    return errors


def brier_score(confidence: Floats, right: Floats, drawn: Array) -> Array:
    scores: Array = drawn.astype(np.float64) @ (confidence - right) ** 2 / drawn.sum(axis=1, dtype=np.float64)
    return scores


def auroc(confidence: Floats, right: Floats, drawn: Array) -> Array:
    """Return the area under the ROC curve of each bootstrap sample; NaN if its answers are all right or all wrong.

    Pairs of a right and a wrong answer with the same confidence count half.
    """
    order = np.argsort(confidence, kind="stable")
    starts = np.flatnonzero(np.diff(confidence[order], prepend=-1.0))
    counts = drawn.astype(np.float64)[:, order]
    hits = np.add.reduceat(counts * right[order], starts, axis=1)
    misses = np.add.reduceat(counts * (1 - right[order]), starts, axis=1)
    below = np.cumsum(misses, axis=1) - misses
    pairs = hits.sum(axis=1) * misses.sum(axis=1)
    won = (hits * (below + misses / 2)).sum(axis=1)
    areas: Array = np.where(pairs > 0, won / np.maximum(pairs, 1), np.nan)
    return areas


def risk_coverage_curve(confidence: Floats, right: Floats) -> list[CurvePoint]:
    """Return the precision among the most confident answers, for at most CURVE_POINTS coverages."""
    order = np.argsort(-confidence, kind="stable")
    ends = np.flatnonzero(np.diff(confidence[order], append=-1.0)) + 1  # answers of equal confidence stay together
    precision = np.cumsum(right[order])[ends - 1] / ends
    shown = np.unique(np.linspace(0, len(ends) - 1, min(CURVE_POINTS, len(ends))).round().astype(np.int64))
    return [
        CurvePoint(
            coverage=round(float(ends[place] / len(right)), DECIMALS),
            precision=round(float(precision[place]), DECIMALS),
        )
        for place in shown
    ]
