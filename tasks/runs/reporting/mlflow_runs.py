"""Access to MLflow for runs: its address, the experiment of a use case, and the points of a training curve."""

import os
import time
from collections.abc import Iterable, Sequence
from typing import Any

from tasks.core.databases import mlflow_database
from tasks.core.layout import Layout
from tasks.runs.reporting.training_curve import CurvePoint

RUN_TAG = "hallmark.run"
POINTS_PER_BATCH = 80
"""Number of curve points in one request. Each point has at most twelve metrics, and MLflow accepts a thousand metrics
in a request."""


def set_short_timeouts() -> None:
    """Configure MLflow's client to give up on an unavailable server within seconds. Its default is four minutes."""
    os.environ.setdefault("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "1")
    os.environ.setdefault("MLFLOW_HTTP_REQUEST_TIMEOUT", "10")


def find_or_create_experiment(client: Any, name: str, layout: Layout) -> str:
    known = client.get_experiment_by_name(name)
    place = (layout.state / "mlflow" / "artifacts").as_uri()
    return str(known.experiment_id if known else client.create_experiment(name, place))


def find_run(client: Any, key: str, run: str) -> Any:
    order, wanted = ["attributes.start_time ASC"], f"tags.`{RUN_TAG}` = '{run}'"
    return next(iter(client.search_runs([key], wanted, max_results=1, order_by=order)), None)


def tracking_uri(layout: Layout) -> str:
    folder = layout.state / "mlflow"
    given = os.environ.get("MLFLOW_TRACKING_URI")
    if not given:
        folder.mkdir(parents=True, exist_ok=True)
    return given or mlflow_database.sqlite_uri(folder / "mlflow.db")


def is_own_database(layout: Layout) -> bool:
    """Return whether MLflow's records are in the checkout's own database, and not at a server."""
    given = os.environ.get("MLFLOW_TRACKING_URI")
    return not given or str(layout.state / "mlflow" / "mlflow.db") in given


def mlflow_metrics(points: Iterable[CurvePoint]) -> list[Any]:
    from mlflow.entities import Metric

    now = int(time.time() * 1000)
    return [Metric(name, value, now, point.step) for point in points for name, value in point.metrics()]


def log_points(client: Any, run_id: str, points: Sequence[CurvePoint]) -> None:
    for begin in range(0, len(points), POINTS_PER_BATCH):
        client.log_batch(run_id, metrics=mlflow_metrics(points[begin : begin + POINTS_PER_BATCH]))
