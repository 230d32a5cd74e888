"""Geometry of the report's charts, which the templates draw as SVG."""

import math
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from tasks.core.facts import Facts
from tasks.stages.evaluate.judged_rows import JudgedRow
from tasks.stages.evaluate.report.stage_results import TrainingStep

WIDTH, HEIGHT = 1000, 300
"""Size of the box around a loss curve in SVG units. The page stretches the box to the available space."""
Scale = Callable[[float], float]
OTHER_LABELS_COLUMN = "(other)"
"""Name of the heat map's last column, which counts the answers with a label that no row expects."""


@dataclass(frozen=True)
class Tick:
    place: float
    """Position on the axis, in percent of its length."""
    text: str


@dataclass(frozen=True)
class LowestValidation:
    step: int
    loss: float
    x: float
    y: float


@dataclass(frozen=True)
class LossCurve:
    """Loss curves of a training run by step, as points of SVG polylines in a box of WIDTH × HEIGHT."""

    loss: str
    smooth: str
    """Running mean of the loss."""
    rate: str
    peak: float
    validation: str
    """Validation loss at the steps after which it was computed."""
    best: LowestValidation | None
    """Lowest validation loss; None if no validation loss was computed."""
    x: tuple[Tick, ...]
    y: tuple[Tick, ...]


def loss_curve(points: Sequence[TrainingStep]) -> LossCurve | None:
    """Return the curves of a training run; None if it has fewer than two steps."""
    if len(points) < 2:
        return None
    steps, losses, rates = zip(*((point.step, point.loss, point.lr) for point in points), strict=True)
    validations = [(point.step, point.validation) for point in points if point.validation is not None]
    levels = axis_ticks(0, max([*losses, *(loss for _, loss in validations)]) or 1)
    x = _scale(steps[0], steps[-1], 0, WIDTH)
    y = _scale(0, levels[-1], HEIGHT, 0)
    peak = max(rates)
    rate = _scale(0, peak or 1, HEIGHT, 0)
    marks = [step for step in axis_ticks(steps[0], steps[-1]) if steps[0] <= step <= steps[-1]]
    return LossCurve(
        loss=_line((x(step), y(loss)) for step, loss in zip(steps, losses, strict=True)),
        smooth=_line((x(step), y(loss)) for step, loss in zip(steps, running_mean(losses), strict=True)),
        rate=_line((x(step), rate(value)) for step, value in zip(steps, rates, strict=True)),
        peak=peak,
        validation=_line((x(step), y(loss)) for step, loss in validations),
        best=_lowest_validation(validations, x, y),
        x=tuple(Tick(round(x(mark) / WIDTH * 100, 2), f"{mark:g}") for mark in marks),
        y=tuple(Tick(round(100 - y(level) / HEIGHT * 100, 2), f"{level:g}") for level in levels),
    )


def _lowest_validation(looks: Sequence[tuple[int, float]], x: Scale, y: Scale) -> LowestValidation | None:
    if not looks:
        return None
    step, loss = min(looks, key=lambda look: look[1])
    return LowestValidation(step, loss, round(x(step), 1), round(y(loss), 1))


def axis_ticks(low: float, high: float, tick_count: int = 5) -> list[float]:
    """Return about `tick_count` round axis values, evenly spaced, that cover the range from `low` to `high`."""
    raw = max(high - low, 1e-9) / tick_count
    power = 10.0 ** math.floor(math.log10(raw))
    step = next(factor * power for factor in (1, 2, 5, 10) if factor * power >= raw * (1 - 1e-9))
    first, last = math.floor(low / step + 1e-9), math.ceil(high / step - 1e-9)
    return [round(place * step, 10) for place in range(first, last + 1)]


def running_mean(values: Sequence[float]) -> list[float]:
    """Return the centred running mean, with a window of about a fifteenth of all values."""
    reach = max(1, len(values) // 30)
    windows = (values[max(0, place - reach) : place + reach + 1] for place in range(len(values)))
    return [sum(window) / len(window) for window in windows]


def _scale(start: float, end: float, to_start: float, to_end: float) -> Scale:
    return lambda value: to_start + (value - start) / (end - start) * (to_end - to_start)


def _line(points: Iterable[tuple[float, float]]) -> str:
    return " ".join(f"{x:.1f},{y:.1f}" for x, y in points)


TIME_PREFIX = "time_"
"""Prefix of the names of measurements that are fractions of a training run's wall time."""
TIME_LABELS = {
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


@dataclass(frozen=True)
class TimeBarPart:
    """Part of a stacked bar. `start` and `width` are in percent of the bar's width."""

    name: str
    words: str
    start: float
    width: float


def time_bar(measured: Facts) -> tuple[TimeBarPart, ...]:
    """Return a training run's wall time as the parts of a bar; empty if the time was not measured.

    Parts below 0.1 % are omitted.
    """
    parts, start = [], 0.0
    for name, words in TIME_LABELS.items():
        share = measured.get(f"{TIME_PREFIX}{name}")
        if share is not None and float(share.value) >= 0.001:
            width = float(share.value) * 100
            parts.append(TimeBarPart(name, words, round(start, 2), round(width, 2)))
            start += width
    return tuple(parts)


MEASUREMENT_FORMATS = {
    "tokens_per_second": "{:,.0f} tokens a second",
    "fill": "{:.1%} of the computed positions hold a token",
    "mfu": "{:.1%} model FLOPs utilisation",
    "peak_memory_gb": "{:.1f} GB at most on a worker",
    "seconds_lost": "{:,.0f} s lost to failures",
}


def measurement_texts(measured: Facts) -> tuple[str, ...]:
    """Return the other measurements of a training run, each as a phrase for the report. Missing ones are omitted."""
    return tuple(words.format(measured[name].value) for name, words in MEASUREMENT_FORMATS.items() if name in measured)


@dataclass(frozen=True)
class HeatMapCell:
    x: int
    y: int
    right: bool
    strength: float
    """Opacity, which grows with the fraction of the expected label's rows that are in this cell. The range is 0.3 to 1,
    so that even a single row is visible."""
    title: str


@dataclass(frozen=True)
class HeatMap:
    """Confusion matrix with expected labels as rows and answered labels as columns. Sizes are in CSS pixels."""

    side: int
    """Width and height of a cell."""
    margin: int
    """Width of the column of labels to the left of the cells."""
    labels: tuple[tuple[str, int], ...]
    """Expected labels with their numbers of rows, from top to bottom. The columns have the same order, followed by
    OTHER_LABELS_COLUMN."""
    cells: tuple[HeatMapCell, ...]

    @property
    def width(self) -> int:
        return self.margin + self.side * (len(self.labels) + 1) + 2

    @property
    def height(self) -> int:
        return self.side * (len(self.labels) + 1) + 2


def heat_map(examples: Sequence[JudgedRow]) -> HeatMap:
    support = Counter(example.label for example in examples)
    names = sorted(support)
    column = {name: place for place, name in enumerate(names)}
    label_pairs = Counter(
        (example.label, label if (label := example.said["candidate"].label) in column else OTHER_LABELS_COLUMN)
        for example in examples
    )
    side = max(10, min(28, 780 // (len(names) + 1)))
    return HeatMap(
        side=side,
        margin=14 + 7 * min(32, max(len(name) for name in names) + 4),
        labels=tuple((name, support[name]) for name in names),
        cells=tuple(
            HeatMapCell(
                x=column.get(answered, len(names)) * side,
                y=column[expected] * side,
                right=expected == answered,
                strength=round(0.3 + 0.7 * rows / support[expected], 3),
                title=f"expected {expected}, answered {answered}: {rows} of {support[expected]}",
            )
            for (expected, answered), rows in sorted(label_pairs.items())
        ),
    )
