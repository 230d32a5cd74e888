"""The loss of a training, step by step, as its signed record has it."""

import math
from pathlib import Path
from typing import Any

from infra.console.site import Here
from infra.console.views import looked_at
from tasks.core.config import Frozen
from tasks.core.files import read_json, sha256_file
from tasks.core.layout import Layout
from tasks.gates import chain
from tasks.runs.run import governance_of
from tasks.stages.evaluate.report import charts
from tasks.stages.evaluate.report.account import Point

CURVE = "artefacts/train/curve.json"
MOST_BYTES = 8 << 20
"""Of a curve, some 100,000 steps: a run's own code writes it."""
DRAWN = 1_000
"""Steps in the picture; of more, some that are evenly apart."""


class Training(Frozen):
    steps: int
    first: float
    """Loss per target token at the first step."""
    last: float
    low: float
    """Lowest of the running mean."""
    loss: str
    """Points of an SVG polyline in a box of 1,000 × 300."""
    smooth: str
    """Of the running mean over neighbouring steps."""
    validation: str
    """Of the validation rows, where they were looked at."""
    best_step: int | None
    """Whose loss on them was the lowest, and whose weights are the result."""
    best: float | None
    """That loss."""
    top: str
    """The loss at the top of the box; the bottom is 0."""


def read(here: Here, layout: Layout) -> Training | None:
    """None before it was trained, of fewer than two steps, and of a curve that is not the signed one.

    Raises Refused for a curve that cannot be read.
    """
    path = layout.root / CURVE
    if not path.is_file() or path.stat().st_size > MOST_BYTES:
        return None
    record = chain.of_run(here.ledger, governance_of(here.site.root, layout), layout.root.name).get("train")
    if record is None or record.left.get(CURVE) != sha256_file(path):
        return None
    return _of(path, layout.root.name)


def _of(path: Path, run: str) -> Training | None:
    with looked_at.written_by(run):
        return _drawn([_point(each) for each in read_json(path)])


def _point(said: Any) -> Point:
    """Raises ValueError for what is no number, or has no end."""
    step, loss, rate = int(said["step"]), float(said["loss"]), float(said["lr"])
    if not (math.isfinite(loss) and math.isfinite(rate)):
        raise ValueError(f"step {step}: expected a loss and a rate, got {loss} and {rate}")
    look = said.get("validation_loss")
    if look is not None and not math.isfinite(look := float(look)):
        raise ValueError(f"step {step}: expected a loss of the validation rows, got {look}")
    return Point(step, loss, rate, look)


def _drawn(points: list[Point]) -> Training | None:
    every = len(points) // DRAWN + 1
    some = [point for place, point in enumerate(points) if place % every == 0 or point.validation is not None]
    curve = charts.loss_curve(some)
    if curve is None:
        return None
    return Training(
        steps=points[-1].step,
        first=points[0].loss,
        last=points[-1].loss,
        low=min(charts.smoothed([point.loss for point in some])),
        loss=curve.loss,
        smooth=curve.smooth,
        validation=curve.validation,
        best_step=curve.best.step if curve.best else None,
        best=curve.best.loss if curve.best else None,
        top=curve.y[-1].text,
    )
