"""Layout of the page's chart of quality against cost: a point with its interval for each base model and state."""

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from tasks.compare.document import ComparedModel, ComparisonDocument
from tasks.compare.outcome import State
from tasks.stages.evaluate.uncertainty import Interval

Scale = Callable[[float], float]
WIDTH, HEIGHT = 1000, 420
LEFT, RIGHT, TOP, BOTTOM = 60, 170, 20, 56
"""Margins of the chart in pixels. The left margin holds percentages, the right margin names, and the bottom margin
costs."""
LOG_SCALE_RATIO = 8.0
"""Ratio of the highest to the lowest cost above which the cost axis is logarithmic."""
MAX_TICKS = 10
LABEL_SPACING = 22.0
"""Vertical distance between labels in pixels, if there is enough room."""


@dataclass(frozen=True)
class Tick:
    place: float
    text: str


@dataclass(frozen=True)
class Point:
    name: str
    state: State
    x: float
    y: float
    low: float
    high: float
    """Upper end of the interval. Like `low`, it is in pixels from the top of the chart."""
    allowed: bool
    title: str
    """Text for screen readers."""


@dataclass(frozen=True)
class Label:
    x: float
    y: float
    text: str
    of: Point


@dataclass(frozen=True)
class Chart:
    points: tuple[Point, ...]
    labels: tuple[Label, ...]
    ways: tuple[tuple[Point, Point], ...]
    """Lines from each base model before fine-tuning to the same model after fine-tuning."""
    x: tuple[Tick, ...]
    y: tuple[Tick, ...]


def lay_out(document: ComparisonDocument) -> Chart | None:
    """Compute the layout of the chart. Return None if no base model was evaluated."""
    costs = [cost for each in document.bases for state in each.standings if (cost := each.cost(state))]
    if not costs:
        return None
    highest = max(each.quality(state).high for each in document.bases for state in each.standings)
    across, marks = _axis(min(costs), max(costs))
    up, shares = _shares(highest)
    points = {each.name: list(_points(each, across, up)) for each in document.bases}
    return Chart(
        points=tuple(point for own in points.values() for point in own),
        labels=tuple(_labels([own[-1] for own in points.values() if own])),
        ways=tuple((own[0], own[1]) for own in points.values() if len(own) == 2),
        x=tuple(Tick(round(across(mark), 1), f"{mark:.3g}") for mark in marks),
        y=tuple(Tick(up(share), f"{share * 100:g}") for share in shares),
    )


def _points(each: ComparedModel, across: Scale, up: Scale) -> Iterator[Point]:
    for state in each.standings:
        cost = each.cost(state)
        if cost:
            it = each.quality(state)
            yield Point(
                name=each.name,
                state=state,
                x=round(across(cost), 1),
                y=up(it.value),
                low=up(it.low),
                high=up(it.high),
                allowed=each.allowed,
                title=f"{each.name}, {state.replace('_', '-')}: {_percent(it)} right, {cost:.3g} USD",
            )


def _percent(it: Interval) -> str:
    return f"{it.value * 100:.1f} % [{it.low * 100:.1f}, {it.high * 100:.1f}]"


def _labels(last: list[Point]) -> Iterator[Label]:
    points = sorted(last, key=lambda point: point.y)
    apart = min(LABEL_SPACING, (HEIGHT - TOP - BOTTOM) / max(1, len(points)))
    places: list[float] = []
    for point in points:
        places.append(max(point.y, places[-1] + apart) if places else point.y)
    lowest = float(HEIGHT - BOTTOM)
    for number in reversed(range(len(places))):
        places[number] = min(places[number], lowest)
        lowest = places[number] - apart
    for point, y in zip(points, places, strict=True):
        yield Label(x=point.x + 12, y=y - 6, text=point.name, of=point)


def _shares(highest: float) -> tuple[Scale, list[float]]:
    quarters = max(1, math.ceil(highest * 4 - 1e-9))
    marks = [number * quarters / 20 for number in range(6)]
    return lambda share: round(HEIGHT - BOTTOM - share / marks[-1] * (HEIGHT - TOP - BOTTOM), 1), marks


def _axis(least: float, most: float) -> tuple[Scale, list[float]]:
    wide = WIDTH - LEFT - RIGHT
    if most / least < LOG_SCALE_RATIO:
        step = _round_up(most / 4)
        end = step * math.ceil(most / step + 1e-9)
        marks = [step * number for number in range(round(end / step) + 1)]
        return lambda cost: LEFT + wide * cost / end, marks
    marks = _log_ticks(least, most)
    first, last = math.log10(marks[0]), math.log10(marks[-1])
    return lambda cost: LEFT + wide * (math.log10(cost) - first) / (last - first), marks


def _log_ticks(least: float, most: float) -> list[float]:
    powers = range(math.floor(math.log10(least)), math.ceil(math.log10(most) + 1e-9) + 1)
    for factors in ((1, 2, 5), (1,)):
        marks = [factor * 10.0**power for power in powers for factor in factors]
        first = max(place for place, mark in enumerate(marks) if mark <= least * (1 + 1e-9))
        last = min(place for place, mark in enumerate(marks) if mark >= most * (1 - 1e-9))
        if last - first < MAX_TICKS:
            break
    return marks[first : last + 1]


def _round_up(raw: float) -> float:
    power = 10.0 ** math.floor(math.log10(raw))
    return next(factor * power for factor in (1, 2, 5, 10) if factor * power >= raw * (1 - 1e-9))
