"""Geometry of the report's pictures; templates turn it into SVG."""

import math
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from tasks.core.facts import Facts
from tasks.stages.evaluate.examples import Example
from tasks.stages.evaluate.report.account import Point

WIDTH, HEIGHT = 1000, 300
"""Units of a curve's box, which stretches to the page."""
Scale = Callable[[float], float]
OTHER = "(other)"
"""Column of a heat map for answers that are none of the expected labels."""


@dataclass(frozen=True)
class Tick:
    place: float
    """Percent of the axis, from its start."""
    text: str


@dataclass(frozen=True)
class Best:
    step: int
    loss: float
    x: float
    y: float


@dataclass(frozen=True)
class Curve:
    """Loss by step: SVG polyline points in a box of WIDTH × HEIGHT."""

    loss: str
    smooth: str
    """Mean over neighbouring steps."""
    rate: str
    """Learning rate, on a scale of its own from 0 to `peak`."""
    peak: float
    validation: str
    """Loss of the validation rows, where they were looked at."""
    best: Best | None
    """The lowest of it."""
    x: tuple[Tick, ...]
    y: tuple[Tick, ...]


def loss_curve(points: Sequence[Point]) -> Curve | None:
    """The curve of a training, or None for fewer than two steps."""
    if len(points) < 2:
        return None
    steps, losses, rates = zip(*((point.step, point.loss, point.lr) for point in points), strict=True)
    looks = [(point.step, point.validation) for point in points if point.validation is not None]
    levels = ticks(0, max([*losses, *(loss for _, loss in looks)]) or 1)
    x = _scale(steps[0], steps[-1], 0, WIDTH)
    y = _scale(0, levels[-1], HEIGHT, 0)
    peak = max(rates)
    rate = _scale(0, peak or 1, HEIGHT, 0)
    marks = [step for step in ticks(steps[0], steps[-1]) if steps[0] <= step <= steps[-1]]
    return Curve(
        loss=_line((x(step), y(loss)) for step, loss in zip(steps, losses, strict=True)),
        smooth=_line((x(step), y(loss)) for step, loss in zip(steps, smoothed(losses), strict=True)),
        rate=_line((x(step), rate(value)) for step, value in zip(steps, rates, strict=True)),
        peak=peak,
        validation=_line((x(step), y(loss)) for step, loss in looks),
        best=_best(looks, x, y),
        x=tuple(Tick(round(x(mark) / WIDTH * 100, 2), f"{mark:g}") for mark in marks),
        y=tuple(Tick(round(100 - y(level) / HEIGHT * 100, 2), f"{level:g}") for level in levels),
    )


def _best(looks: Sequence[tuple[int, float]], x: Scale, y: Scale) -> Best | None:
    if not looks:
        return None
    step, loss = min(looks, key=lambda look: look[1])
    return Best(step, loss, round(x(step), 1), round(y(loss), 1))


def ticks(low: float, high: float, wanted: int = 5) -> list[float]:
    """Round numbers, evenly apart, from at or below `low` to at or above `high`; about `wanted` of them."""
    raw = max(high - low, 1e-9) / wanted
    power = 10.0 ** math.floor(math.log10(raw))
    step = next(factor * power for factor in (1, 2, 5, 10) if factor * power >= raw * (1 - 1e-9))
    first, last = math.floor(low / step + 1e-9), math.ceil(high / step - 1e-9)
    return [round(place * step, 10) for place in range(first, last + 1)]


def smoothed(values: Sequence[float]) -> list[float]:
    """Centred running mean over about a fifteenth of the steps."""
    reach = max(1, len(values) // 30)
    windows = (values[max(0, place - reach) : place + reach + 1] for place in range(len(values)))
    return [sum(window) / len(window) for window in windows]


def _scale(start: float, end: float, to_start: float, to_end: float) -> Scale:
    return lambda value: to_start + (value - start) / (end - start) * (to_end - to_start)


def _line(points: Iterable[tuple[float, float]]) -> str:
    return " ".join(f"{x:.1f},{y:.1f}" for x, y in points)


TIME = "time_"
"""Begins the names of the facts that say where a training's time went."""
PARTS = {
    "forward": "forward",
    "backward": "backward",
    "optimizer": "optimizer step",
    "communication": "exchange among workers",
    "data": "rows into tensors",
    "validation": "looks at the validation rows",
    "checkpoint": "checkpoints",
    "failures": "lost to failures",
    "other": "start, loading and writing the model",
}
"""What a part of it is called, in the order of the picture."""


@dataclass(frozen=True)
class Part:
    """Of a bar from 0 to 100 percent."""

    name: str
    words: str
    start: float
    width: float


def time_bar(measured: Facts) -> tuple[Part, ...]:
    """Where the wall time of a training went; empty where nobody measured it. Parts below a thousandth are left out."""
    parts, start = [], 0.0
    for name, words in PARTS.items():
        share = measured.get(f"{TIME}{name}")
        if share is not None and float(share.value) >= 0.001:
            width = float(share.value) * 100
            parts.append(Part(name, words, round(start, 2), round(width, 2)))
            start += width
    return tuple(parts)


TAKEN = {
    "tokens_per_second": "{:,.0f} tokens a second",
    "fill": "{:.1%} of the computed positions hold a token",
    "mfu": "{:.1%} model FLOPs utilisation",
    "peak_memory_gb": "{:.1f} GB at most on a worker",
    "seconds_lost": "{:,.0f} s lost to failures",
}
"""What a training took besides, as it is said."""


def taken(measured: Facts) -> tuple[str, ...]:
    """In words; only what was measured."""
    return tuple(words.format(measured[name].value) for name, words in TAKEN.items() if name in measured)


@dataclass(frozen=True)
class Cell:
    x: int
    y: int
    right: bool
    strength: float
    """Opacity: the share of the rows with this expected label, lifted so that a single row still shows."""
    title: str


@dataclass(frozen=True)
class HeatMap:
    """Expected labels down, answered labels across; sizes in CSS pixels."""

    side: int
    """Of a cell."""
    margin: int
    """Left of the cells, for the labels."""
    labels: tuple[tuple[str, int], ...]
    """Expected label and its rows, from the top; columns have the same order, then OTHER."""
    cells: tuple[Cell, ...]
    """Those that are not empty."""

    @property
    def width(self) -> int:
        return self.margin + self.side * (len(self.labels) + 1) + 2

    @property
    def height(self) -> int:
        return self.side * (len(self.labels) + 1) + 2


def heat_map(examples: Sequence[Example]) -> HeatMap:
    """What the candidate answers where a label is expected."""
    support = Counter(example.label for example in examples)
    names = sorted(support)
    column = {name: place for place, name in enumerate(names)}
    said = Counter(
        (example.label, label if (label := example.said["candidate"].label) in column else OTHER)
        for example in examples
    )
    side = max(10, min(28, 780 // (len(names) + 1)))
    return HeatMap(
        side=side,
        margin=14 + 7 * min(32, max(len(name) for name in names) + 4),
        labels=tuple((name, support[name]) for name in names),
        cells=tuple(
            Cell(
                x=column.get(answered, len(names)) * side,
                y=column[expected] * side,
                right=expected == answered,
                strength=round(0.3 + 0.7 * rows / support[expected], 3),
                title=f"expected {expected}, answered {answered}: {rows} of {support[expected]}",
            )
            for (expected, answered), rows in sorted(said.items())
        ),
    )
