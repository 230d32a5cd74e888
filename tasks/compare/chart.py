"""Layout of the chart that plots quality against cost. Each base model has one point, with an interval, per state."""

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from tasks.compare.document import ComparedModel, ComparisonDocument
from tasks.compare.outcome import ModelState
from tasks.stages.evaluate.uncertainty import Interval

Scale = Callable[[float], float]
CHART_WIDTH, CHART_HEIGHT = 1000, 420
LEFT_MARGIN, RIGHT_MARGIN, TOP_MARGIN, BOTTOM_MARGIN = 60, 170, 20, 56
"""Margins of the chart in pixels. The left one is for percentages, the right one for names, the bottom one for
costs."""
LOG_SCALE_RATIO = 8.0
"""Ratio of the highest to the lowest cost above which the cost axis is logarithmic."""
MAX_AXIS_TICKS = 10
LABEL_SPACING = 22.0
"""Minimum vertical distance between labels in pixels; smaller if there is not enough room for all labels."""


@dataclass(frozen=True)
class Tick:
    place: float
    text: str


@dataclass(frozen=True)
class Point:
    name: str
    state: ModelState
    x: float
    y: float
    low: float
    high: float
    """Position of the interval's upper end. Both ends are given in pixels from the top of the chart."""
    allowed: bool
    title: str
    """Text for screen readers."""


@dataclass(frozen=True)
class Label:
    x: float
    y: float
    text: str
    point: Point


@dataclass(frozen=True)
class Chart:
    points: tuple[Point, ...]
    labels: tuple[Label, ...]
    ways: tuple[tuple[Point, Point], ...]
    """Lines that connect the two points of a base model, before and after fine-tuning."""
    x: tuple[Tick, ...]
    y: tuple[Tick, ...]


def compute_layout(document: ComparisonDocument) -> Chart | None:
    """Compute the layout of the chart. Return None if no base model was evaluated."""
    costs = [cost for each in document.bases for state in each.standings if (cost := each.cost(state))]
    if not costs:
        return None
    highest = max(each.quality(state).high for each in document.bases for state in each.standings)
    across, marks = _cost_scale(min(costs), max(costs))
    up, shares = _share_scale(highest)
    points = {each.name: list(_place_points(each, across, up)) for each in document.bases}
    return Chart(
        points=tuple(point for own in points.values() for point in own),
        labels=tuple(_place_labels([own[-1] for own in points.values() if own])),
        ways=tuple((own[0], own[1]) for own in points.values() if len(own) == 2),
        x=tuple(Tick(round(across(mark), 1), f"{mark:.3g}") for mark in marks),
        y=tuple(Tick(up(share), f"{share * 100:g}") for share in shares),
    )


def _place_points(model: ComparedModel, x_scale: Scale, y_scale: Scale) -> Iterator[Point]:
    for state in model.standings:
        cost = model.cost(state)
        if cost:
            it = model.quality(state)
            yield Point(
                name=model.name,
                state=state,
                x=round(x_scale(cost), 1),
                y=y_scale(it.value),
                low=y_scale(it.low),
                high=y_scale(it.high),
                allowed=model.allowed,
                title=f"{model.name}, {state.replace('_', '-')}: {_format_interval(it)} right, {cost:.3g} USD",
            )


def _format_interval(interval: Interval) -> str:
    return f"{interval.value * 100:.1f} % [{interval.low * 100:.1f}, {interval.high * 100:.1f}]"


def _place_labels(last_points: list[Point]) -> Iterator[Label]:
    points = sorted(last_points, key=lambda point: point.y)
    apart = min(LABEL_SPACING, (CHART_HEIGHT - TOP_MARGIN - BOTTOM_MARGIN) / max(1, len(points)))
    places: list[float] = []
    for point in points:
        places.append(max(point.y, places[-1] + apart) if places else point.y)
    lowest = float(CHART_HEIGHT - BOTTOM_MARGIN)
    for number in reversed(range(len(places))):
        places[number] = min(places[number], lowest)
        lowest = places[number] - apart
    for point, y in zip(points, places, strict=True):
        yield Label(x=point.x + 12, y=y - 6, text=point.name, point=point)


def _share_scale(highest_share: float) -> tuple[Scale, list[float]]:
    quarters = max(1, math.ceil(highest_share * 4 - 1e-9))
    marks = [number * quarters / 20 for number in range(6)]
    return lambda share: round(
        CHART_HEIGHT - BOTTOM_MARGIN - share / marks[-1] * (CHART_HEIGHT - TOP_MARGIN - BOTTOM_MARGIN), 1
    ), marks


def _cost_scale(lowest_cost: float, highest_cost: float) -> tuple[Scale, list[float]]:
    wide = CHART_WIDTH - LEFT_MARGIN - RIGHT_MARGIN
    if highest_cost / lowest_cost < LOG_SCALE_RATIO:
        step = _round_up_step(highest_cost / 4)
        end = step * math.ceil(highest_cost / step + 1e-9)
        marks = [step * number for number in range(round(end / step) + 1)]
        return lambda cost: LEFT_MARGIN + wide * cost / end, marks
    marks = _log_ticks(lowest_cost, highest_cost)
    first, last = math.log10(marks[0]), math.log10(marks[-1])
    return lambda cost: LEFT_MARGIN + wide * (math.log10(cost) - first) / (last - first), marks


def _log_ticks(lowest: float, highest: float) -> list[float]:
    powers = range(math.floor(math.log10(lowest)), math.ceil(math.log10(highest) + 1e-9) + 1)
    for factors in ((1, 2, 5), (1,)):
        marks = [factor * 10.0**power for power in powers for factor in factors]
        first = max(place for place, mark in enumerate(marks) if mark <= lowest * (1 + 1e-9))
        last = min(place for place, mark in enumerate(marks) if mark >= highest * (1 - 1e-9))
        if last - first < MAX_AXIS_TICKS:
            break
    return marks[first : last + 1]


def _round_up_step(step: float) -> float:
    power = 10.0 ** math.floor(math.log10(step))
    return next(factor * power for factor in (1, 2, 5, 10) if factor * power >= step * (1 - 1e-9))
