"""MLflow: parameters, curve and digests of a training. Where it is away, training goes on and says so."""

import os
import time
from collections.abc import Callable, Mapping
from typing import Any

from tasks.core import config
from tasks.core.layout import Layout

COMMIT, USE_CASE = "HALLMARK_COMMIT", "HALLMARK_USE_CASE"
"""Environment variable: the commit of the worktree, for a stage that sees no git."""


class Tracker:
    """One MLflow run, or nothing once MLflow has failed."""

    def __init__(self, layout: Layout, experiment: str) -> None:
        self.layout, self.experiment = layout, experiment
        self.run_id: str | None = None
        """MLflow's id of the run; None while or where there is none."""
        self._client: Any = None

    def start(self, params: Mapping[str, Any], tags: Mapping[str, str]) -> None:
        """Open the run."""
        self._attempt(lambda: self._start(params, tags))

    def log(self, points: list[dict[str, Any]]) -> None:
        """Send points of the curve: loss, learning rate and, where timed, tokens per second."""
        if self.run_id:
            self._attempt(lambda: self._client.log_batch(self.run_id, metrics=metrics(points)))

    def finish(self, status: str) -> None:
        """Close the run as FINISHED, FAILED or KILLED."""
        if self.run_id:
            self._attempt(lambda: self._client.set_terminated(self.run_id, status))

    def _start(self, params: Mapping[str, Any], tags: Mapping[str, str]) -> None:
        # A server that is away is given up after seconds; by default MLflow tries for four minutes.
        os.environ.setdefault("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "1")
        os.environ.setdefault("MLFLOW_HTTP_REQUEST_TIMEOUT", "10")
        from mlflow import MlflowClient
        from mlflow.entities import Param

        self._client = MlflowClient(tracking_uri(self.layout))
        experiment = self._client.get_experiment_by_name(self.experiment)
        place = (self.layout.state / "mlflow" / "artifacts").as_uri()
        key = experiment.experiment_id if experiment else self._client.create_experiment(self.experiment, place)
        run_id = self._client.create_run(key, tags=dict(tags), run_name="train").info.run_id
        self._client.log_batch(run_id, params=[Param(name, str(value)) for name, value in params.items()])
        self.run_id = run_id

    def _attempt(self, action: Callable[[], object]) -> None:
        try:
            action()
        except Exception as error:  # whatever tracking dies of, training does not
            self.run_id = None
            print(f"tracking is away ({type(error).__name__}: {error}); training goes on untracked", flush=True)


def tracking_uri(layout: Layout) -> str:
    """MLFLOW_TRACKING_URI, else a SQLite file in the checkout's state."""
    folder = layout.state / "mlflow"
    given = os.environ.get("MLFLOW_TRACKING_URI")
    if not given:
        folder.mkdir(parents=True, exist_ok=True)
    return given or f"sqlite:///{folder / 'mlflow.db'}"


def metrics(points: list[dict[str, Any]]) -> list[Any]:
    from mlflow.entities import Metric

    now = int(time.time() * 1000)
    out = []
    for point in points:
        values = {"loss": point["loss"], "learning_rate": point["lr"]}
        if point.get("seconds"):
            values["tokens_per_second"] = point["tokens"] / point["seconds"]
        out += [Metric(name, value, now, point["step"]) for name, value in values.items()]
    return out


def use_case(layout: Layout) -> str:
    """The name of the use case, for MLflow's experiment. No output of the stage depends on it, nor does the stage."""
    return os.environ.get(USE_CASE) or str(config.read_yaml(layout.params)["use_case"]["name"])
