"""Training curve, as stage `train` wrote it.

The file is written by the run's own code and is not trusted: it is displayed, and no decision depends on it.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

from pydantic import BaseModel, Field, TypeAdapter, ValidationError

from tasks.core.files import MAX_STAGE_JSON_BYTES, open_regular_file, read_stage_json
from tasks.stages.train.curve_points import POINTS_FILE

CURVE_PATH = f"measured/train/{POINTS_FILE}"
"""Path of the training curve in the run's worktree. The file also exists while the training is in progress
(`supervise/live_files.py`)."""
BYTES_PER_READ = 2**20
MAX_LINE_BYTES = 2**12
MAX_METRIC_VALUE = 1e18
"""Maximum absolute value of a training metric. Actual token counts, byte counts and losses are far smaller."""
MetricValue = Annotated[float, Field(ge=-MAX_METRIC_VALUE, le=MAX_METRIC_VALUE, allow_inf_nan=False)]


class CurvePoint(BaseModel):
    """One step of a training curve, with loss and other metrics. Steps restored from a checkpoint lack `seconds`."""

    step: int = Field(ge=1, le=2**40)
    loss: MetricValue
    lr: MetricValue
    tokens: MetricValue = 0.0
    grad_norm: MetricValue | None = None
    validation_loss: MetricValue | None = None
    seconds: MetricValue | None = None
    positions: MetricValue | None = None
    peak_bytes: MetricValue | None = None
    mfu: MetricValue | None = None
    seconds_lost: MetricValue | None = None

    def metrics(self) -> Iterator[tuple[str, float]]:
        return ((name, value) for name, value in self._all_metrics() if abs(value) <= MAX_METRIC_VALUE)

    def _all_metrics(self) -> Iterator[tuple[str, float]]:
        yield "loss", self.loss
        yield "learning_rate", self.lr
        if self.seconds:
            yield "tokens_per_second", self.tokens / self.seconds
            yield "step_seconds", self.seconds
        if self.positions:
            yield "fill", self.tokens / self.positions
        if self.peak_bytes is not None:
            yield "peak_memory_gb", self.peak_bytes / 1e9
        others = {
            "gradient_norm": self.grad_norm, "validation_loss": self.validation_loss, "mfu": self.mfu,
            "seconds_lost": self.seconds_lost,
        }  # fmt: skip
        yield from ((name, value) for name, value in others.items() if value is not None)


_POINTS = TypeAdapter(list[CurvePoint])


def read_points(path: Path, offset: int) -> tuple[list[CurvePoint], int]:
    """Read up to 1 MiB of curve points from byte `offset`, and return them with the offset for the next call.

    Invalid lines are skipped. A file that is shorter than `offset` was replaced, and is read from its start.

    Raises:
        OSError: The path is not a regular file.
    """
    with open_regular_file(path) as file:
        size = file.seek(0, 2)
        begin = offset if offset <= size else 0
        file.seek(begin)
        data = file.read(min(BYTES_PER_READ, max(0, MAX_STAGE_JSON_BYTES - begin)))
    whole = data[: data.rfind(b"\n") + 1]
    points = (_parse_point(line) for line in whole.splitlines())
    return [point for point in points if point], begin + len(whole)


def read_curve(path: Path) -> list[CurvePoint]:
    """Return the points in the file curve.json of a training run.

    Raises:
        OSError: The path is a link, is not a file or cannot be opened.
        ValueError: The file is too large, not JSON or not a list of points.
    """
    return _POINTS.validate_python(read_stage_json(path))


def _parse_point(line: bytes) -> CurvePoint | None:
    try:
        return CurvePoint.model_validate_json(line) if len(line) <= MAX_LINE_BYTES else None
    except ValidationError:
        return None
