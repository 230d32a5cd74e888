"""Selective coverage and selective precision of a review rule on the test rows, which had no influence on it."""

from tasks.stages.evaluate import uncertainty
from tasks.stages.evaluate.confidence.calibration import Floats
from tasks.stages.evaluate.confidence.schema import Review, ReviewRule


def apply_rule(rule: ReviewRule, confidence: Floats, right: Floats, confidence_level: float) -> Review:
    """Return selective coverage and selective precision of the test rows, with Wilson intervals.

    There must be at least one row.
    """
    above = confidence > rule.threshold
    released, hits = int(above.sum()), int(right[above].sum())
    return Review(
        rule=rule,
        rows=len(right),
        released=released,
        coverage=uncertainty.wilson_interval(released, len(right), confidence_level),
        precision=uncertainty.wilson_interval(hits, released, confidence_level) if released else None,
    )
