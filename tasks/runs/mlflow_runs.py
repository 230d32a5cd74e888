"""How runs are shown in MLflow: where it is, the experiment of a use case, and the points of a curve."""

import os
import time
from collections.abc import Iterable, Sequence
from typing import Any

from tasks.core.layout import Layout
from tasks.runs.curve import Point

RUN = "hallmark.run"
"""Tag: the id of the run that an MLflow run shows."""
TOGETHER = 80
"""Points of a curve, of at most twelve figures each."""


def give_up_soon() -> None:
    """A server that is away is given up after seconds; by default MLflow tries for four minutes."""
    os.environ.setdefault("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "1")
    os.environ.setdefault("MLFLOW_HTTP_REQUEST_TIMEOUT", "10")


def experiment(client: Any, name: str, layout: Layout) -> str:
    """MLflow's key of the experiment of a use case, which is made where there is none."""
    known = client.get_experiment_by_name(name)
    place = (layout.state / "mlflow" / "artifacts").as_uri()
    return str(known.experiment_id if known else client.create_experiment(name, place))


def find(client: Any, key: str, run: str) -> Any:
    """The MLflow run that shows a run; None where there is none."""
    order, wanted = ["attributes.start_time ASC"], f"tags.`{RUN}` = '{run}'"
    return next(iter(client.search_runs([key], wanted, max_results=1, order_by=order)), None)


def tracking_uri(layout: Layout) -> str:
    """MLFLOW_TRACKING_URI, else a SQLite file in the checkout's state."""
    folder = layout.state / "mlflow"
    given = os.environ.get("MLFLOW_TRACKING_URI")
    if not given:
        folder.mkdir(parents=True, exist_ok=True)
    return given or f"sqlite:///{folder / 'mlflow.db'}"


def metrics(points: Iterable[Point]) -> list[Any]:
    """The points of a curve as MLflow's metrics."""
    from mlflow.entities import Metric

    now = int(time.time() * 1000)
    return [Metric(name, value, now, point.step) for point in points for name, value in point.figures()]


def log(client: Any, run_id: str, points: Sequence[Point]) -> None:
    """Add points to the curve of an MLflow run, which takes a thousand figures at once."""
    for begin in range(0, len(points), TOGETHER):
        client.log_batch(run_id, metrics=metrics(points[begin : begin + TOGETHER]))
