"""File with the points of the training curve, `measured/train/points.jsonl`, written during training.

Each line is a JSON object. The supervisor copies the growing file to the run's worktree (`tasks.supervise.live_files`),
and the watch shows the points in MLflow (`tasks.runs.reporting.mlflow_sync`).
"""

import json
from pathlib import Path
from typing import Any

from tasks.core.layout import Layout

POINTS_FILE = "points.jsonl"


class CurvePointsWriter:
    """Writer of the points of one training run. If the run resumes from a checkpoint, all points are written again."""

    def __init__(self, layout: Layout) -> None:
        self.path: Path = layout.measurements("train") / POINTS_FILE
        self._last = 0
        self.path.unlink(missing_ok=True)

    def add(self, points: list[dict[str, Any]]) -> None:
        new = [point for point in points if point["step"] > self._last]
        if new:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            with self.path.open("a") as file:
                file.writelines(json.dumps(point) + "\n" for point in new)
            self._last = new[-1]["step"]
