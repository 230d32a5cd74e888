"""Schema of the confidence results in metrics.json. They are about the candidate."""

from tasks.core.documents.config import FrozenModel
from tasks.stages.evaluate.uncertainty import Interval


class ReliabilityBin(FrozenModel):
    """Test rows with similar confidence."""

    rows: int
    confidence: float
    """Mean confidence of the answers."""
    right: float
    """Proportion of right answers."""


class CurvePoint(FrozenModel):
    """Point of the risk-coverage curve."""

    coverage: float
    """Proportion of the rows whose answers have at least a certain confidence."""
    precision: float
    """Proportion of right answers among them. The risk is 1 - precision."""


class Calibration(FrozenModel):
    """Confidence against correctness on the test rows."""

    rows: int
    error: Interval
    """Expected calibration error over the bins."""
    brier: Interval
    """Brier score: mean squared difference between confidence and correctness (1 or 0)."""
    auroc: Interval | None
    """Probability that a right answer has a higher confidence than a wrong one; None if all answers are right or all
    are wrong."""
    bins: list[ReliabilityBin]
    """Bins of about equally many rows, by ascending confidence."""
    curve: list[CurvePoint]
    """Risk-coverage curve, by ascending coverage."""


class ReviewRule(FrozenModel):
    """Threshold for human review, with the calibration rows by which it was chosen.

    Answers whose confidence is greater than `threshold` need no review. All others go to a person.
    """

    required_precision: float
    guarantee: float
    """Probability, over the draw of the calibration rows, that the precision above the threshold is at least
    `required_precision`."""
    rows: int
    """Number of calibration rows."""
    threshold: float
    """Confidence from 0 to 1; 1 if no threshold reaches the precision, so that every answer is reviewed."""
    released: int
    """Number of calibration rows whose answers need no review."""
    right: int
    """Number of right answers among them."""


class Review(FrozenModel):
    """Review rule and its results on the test rows."""

    rule: ReviewRule
    rows: int
    released: int
    """Number of test rows whose answers need no review."""
    coverage: Interval
    """Proportion of these rows."""
    precision: Interval | None
    """Proportion of right answers among them; None if there are none."""
