"""Geometry of the charts about the candidate's confidence, which the template draws as SVG in a box of SIZE × SIZE."""

from collections.abc import Sequence
from dataclasses import dataclass

from tasks.stages.evaluate.confidence.schema import Calibration, CurvePoint, ReliabilityBin, Review

SIZE = 300


@dataclass(frozen=True)
class ReliabilityPoint:
    """Bin of the reliability diagram. A bin on the diagonal has the confidence that it deserves."""

    x: float
    y: float
    title: str


@dataclass(frozen=True)
class ConfidenceCharts:
    points: tuple[ReliabilityPoint, ...]
    curve: str
    """Points of the risk-coverage curve as an SVG polyline."""
    lowest_precision: float
    """Precision at the bottom of the curve's box. Its top is a precision of 1."""
    required_y: float | None
    """Height of the required precision; None if none is required or if it is below the box."""
    coverage_x: float | None
    """Position of the review threshold's coverage; None if there is no threshold."""


def confidence_charts(measured: Calibration | None, review: Review | None) -> ConfidenceCharts | None:
    """Return the charts; None if the answers have no confidence."""
    if measured is None:
        return None
    lowest = _lowest_precision(measured.curve)
    required = None if review is None else _height(review.rule.required_precision, lowest)
    return ConfidenceCharts(
        points=tuple(map(_point, measured.bins)),
        curve=" ".join(f"{it.coverage * SIZE:.1f},{_height(it.precision, lowest):.1f}" for it in measured.curve),
        lowest_precision=lowest,
        required_y=required if required is None or required <= SIZE else None,
        coverage_x=None if review is None else round(review.coverage.value * SIZE, 1),
    )


def _point(it: ReliabilityBin) -> ReliabilityPoint:
    title = f"{it.rows} rows: mean confidence {it.confidence:.1%}, right answers {it.right:.1%}"
    return ReliabilityPoint(round(it.confidence * SIZE, 1), round((1 - it.right) * SIZE, 1), title)


def _lowest_precision(curve: Sequence[CurvePoint]) -> float:
    """Return the tenth below the lowest precision, so that a curve between .9 and 1 is not a flat line."""
    return min(0.9, int(min(point.precision for point in curve) * 10) / 10)


def _height(precision: float, lowest: float) -> float:
    return round((1 - precision) / (1 - lowest) * SIZE, 1)
