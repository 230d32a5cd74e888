"""Follower of the training log. It prints the progress with the remaining time, and writes the training curve."""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tasks.core.formatting import format_duration
from tasks.core.json_text import parse
from tasks.core.progress import print_progress, print_progress_count
from tasks.stages.train import early_stopping
from tasks.stages.train.coordinator import USER_LINES_FILE
from tasks.stages.train.curve_points import CurvePointsWriter

Point = dict[str, Any]
REPORT_INTERVAL_SECONDS = 2.0
MAX_REPORT_SHARE = 0.05
"""Maximum fraction of the time that is spent on reports. Each report reads the whole log, which can become long."""


@dataclass(frozen=True)
class TrainingPlan:
    steps: int
    seconds_lost: Callable[[], float] = float


@contextmanager
def report_progress(log_file: Path, plan: TrainingPlan, points_writer: CurvePointsWriter) -> Iterator[None]:
    """Report the progress of training from a background thread during the block, and once more at its end.

    Args:
        log_file: Path of the training log.
        plan: Expected number of steps, and seconds lost to failures.
        points_writer: Writer of the points of the training curve.
    """
    follower = LogFollower(log_file, plan, points_writer)
    thread = threading.Thread(target=follower.follow, daemon=True)
    thread.start()
    try:
        yield
    finally:
        follower.ended.set()
        thread.join()


class LogFollower:
    def __init__(self, record: Path, plan: TrainingPlan, written: CurvePointsWriter) -> None:
        self.record, self.plan, self.points = record, plan, written
        self.ended = threading.Event()
        self.reported_steps = 0
        self.resumed_steps = 0
        self.printed_lines = 0

    def follow(self) -> None:
        took = 0.0
        while not self.ended.wait(max(REPORT_INTERVAL_SECONDS, took / MAX_REPORT_SHARE)):
            began = time.monotonic()
            self.report()
            took = time.monotonic() - began
        self.report()
        if points := read_log(self.record):
            print(
                f"trained {len(points)} of {self.plan.steps} steps, {loss_text(points)}{validation_text(points)}",
                flush=True,
            )

    def report(self) -> None:
        lines = read_complete_lines(self.record.with_name(USER_LINES_FILE))
        print("".join(lines[self.printed_lines :]), end="", flush=True)
        self.printed_lines = len(lines)
        points = read_log(self.record)
        if len(points) == self.reported_steps:
            return
        before = sum("seconds" not in point for point in points)
        if before and (before != self.resumed_steps or len(points) < self.reported_steps):
            print_progress("train", f"going on from the checkpoint of step {before}")
        self.resumed_steps = before
        if len(points) > before:  # after the loss of a worker there are none until other workers begin
            print_progress_count("train", len(points), self.plan.steps, progress_line(points, self.plan.steps))
        if len(points) == self.plan.steps and not self.ended.is_set():
            print_progress("train", f"saving the weights after {len(points)} steps")
        lost = self.plan.seconds_lost()
        self.points.add([{**point, "seconds_lost": lost} for point in points[self.reported_steps :]])
        self.reported_steps = len(points)


def read_log(log_file: Path) -> list[Point]:
    """Return the points in the training log.

    The last line is left out if it is incomplete because it is still being written.
    """
    return [parse(line) for line in read_complete_lines(log_file)]


TAIL_BYTES = 4096
"""Number of bytes at the end of the training log that are searched for the last step."""


def has_taken_step(log_file: Path) -> bool:
    """Return whether the workers of this attempt have completed a step.

    Only steps of this attempt have the key `seconds` in the log. Steps from a checkpoint do not.
    """
    if not log_file.exists():
        return False
    with log_file.open("rb") as file:
        file.seek(max(0, log_file.stat().st_size - TAIL_BYTES))
        return b'"seconds"' in file.read()


def read_complete_lines(file: Path) -> list[str]:
    if not file.exists():
        return []
    return [line for line in file.read_text().splitlines(keepends=True) if line.endswith("\n")]


def progress_line(points: list[Point], steps: int) -> str:
    """Return the progress as text, such as `loss 0.412 330 tok/s eta 4 min 10 s`, followed by the validation losses.

    Speed and remaining time are computed from the last 50 steps. The validation losses come last, because a narrow
    terminal cuts off the end.
    """
    recent = [point for point in points if "seconds" in point][-50:]
    each = total_seconds(recent) / max(1, len(recent))
    left = format_duration((steps - len(points)) * each)
    return f"{loss_text(points)} {tokens_per_second(recent):.0f} tok/s eta {left}{validation_text(points)}"


def total_seconds(points: list[Point]) -> float:
    """Return the duration of steps and validations in seconds, except steps that a checkpoint already contained."""
    return sum(point.get("seconds", 0.0) + point.get("look_seconds", 0.0) for point in points)


def loss_text(points: list[Point]) -> str:
    return f"loss {points[-1]['loss']:.3f}"


def validation_text(points: list[Point]) -> str:
    """Return the last and the lowest validation loss, for example `, validation 0.480, best 0.471 after step 120`.

    The text is empty before the first validation.
    """
    lowest = early_stopping.best_point(points)
    if lowest is None:
        return ""
    last = next(
        point[early_stopping.VALIDATION_LOSS_KEY]
        for point in reversed(points)
        if early_stopping.VALIDATION_LOSS_KEY in point
    )
    return f", validation {last:.3f}, best {lowest[early_stopping.VALIDATION_LOSS_KEY]:.3f} after step {lowest['step']}"


def tokens_per_second(points: list[Point]) -> float:
    timed = [point for point in points if "seconds" in point]
    seconds = sum(point["seconds"] for point in timed)
    return float(sum(point["tokens"] for point in timed) / seconds) if seconds else 0.0


def filled_share(points: list[Point]) -> float | None:
    counted = [point for point in points if "positions" in point]
    positions = sum(point["positions"] for point in counted)
    return float(sum(point["tokens"] for point in counted) / positions) if positions else None


def mean_mfu(points: list[Point]) -> float | None:
    known = [point for point in points if "mfu" in point]
    seconds = sum(point["seconds"] for point in known)
    return float(sum(point["mfu"] * point["seconds"] for point in known) / seconds) if seconds else None
