"""MLflow: the curve of a training while it grows. Where it is away, training goes on and says so.

In a run it joins the MLflow run that has the run's id as a tag, or makes it, and adds the curve alone: the watch says
the rest of it (`tasks.runs.tracked`) and when it ends. By hand a training is an MLflow run of its own, with parameters
and digests.
"""

import os
import time
from collections.abc import Callable, Mapping
from typing import Any

from tasks.core import config, mlflow_database
from tasks.core.layout import Layout
from tasks.stages.train import early_stopping

COMMIT, USE_CASE = "HALLMARK_COMMIT", "HALLMARK_USE_CASE"
"""Environment variable: the commit of the worktree, for a stage that sees no git."""
RUN = "hallmark.run"
"""Tag: the id of the run that an MLflow run shows."""


class Tracker:
    """One MLflow run, or nothing once MLflow has failed."""

    def __init__(self, layout: Layout, experiment: str) -> None:
        self.layout, self.experiment = layout, experiment
        self.run_id: str | None = None
        """MLflow's id of the run; None while or where there is none."""
        self._client: Any = None
        self._of = run_of(layout)
        self._logged = 0
        """The last step that it has: a training that goes on from a checkpoint says no step twice."""

    def start(self, params: Mapping[str, Any], tags: Mapping[str, str]) -> None:
        """Open the run."""
        self._attempt(lambda: self._start(params, tags))

    def log(self, points: list[dict[str, Any]]) -> None:
        """Send points of the curve: loss, learning rate, gradient norm and, where timed, what each step took."""
        new = [point for point in points if point["step"] > self._logged]
        if self.run_id and new:
            self._attempt(lambda: self._client.log_batch(self.run_id, metrics=metrics(new)))
            self._logged = new[-1]["step"]

    def finish(self, status: str) -> None:
        """Close the MLflow run as FINISHED, FAILED or KILLED; that of a run goes on."""
        if self.run_id and not self._of:
            self._attempt(lambda: self._client.set_terminated(self.run_id, status))

    def _start(self, params: Mapping[str, Any], tags: Mapping[str, str]) -> None:
        give_up_soon()
        from mlflow import MlflowClient
        from mlflow.entities import Param

        mlflow_database.make(uri := tracking_uri(self.layout))
        self._client = MlflowClient(uri)
        key = experiment(self._client, self.experiment, self.layout)
        if not self._of:
            run_id = self._client.create_run(key, tags=dict(tags), run_name="train").info.run_id
            self._client.log_batch(run_id, params=[Param(name, str(value)) for name, value in params.items()])
        elif known := find(self._client, key, self._of):
            run_id = known.info.run_id
            self._logged = max((it.step for it in self._client.get_metric_history(run_id, "loss")), default=0)
        else:
            run_id = self._client.create_run(key, tags={RUN: self._of}, run_name=self._of).info.run_id
        self.run_id = run_id

    def _attempt(self, action: Callable[[], object]) -> None:
        try:
            action()
        except Exception as error:  # whatever tracking dies of, training does not
            self.run_id = None
            said = (str(error).strip().splitlines() or [""])[0][:200]  # of a database the rest is SQL
            print(f"tracking is away ({type(error).__name__}: {said}); training goes on untracked", flush=True)


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


def run_of(layout: Layout) -> str:
    """The id of the run whose worktree this is; empty by hand."""
    root = layout.root.resolve()
    return "" if root == layout.state.parent.resolve() else root.name


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
        if "grad_norm" in point:
            values["gradient_norm"] = point["grad_norm"]
        if early_stopping.LOSS in point:
            values[early_stopping.LOSS] = point[early_stopping.LOSS]
        if point.get("seconds"):
            values |= {"tokens_per_second": point["tokens"] / point["seconds"], "step_seconds": point["seconds"]}
        if point.get("positions"):
            values["fill"] = point["tokens"] / point["positions"]
        if "peak_bytes" in point:
            values["peak_memory_gb"] = point["peak_bytes"] / 1e9
        values |= {name: point[name] for name in ("mfu", "seconds_lost") if name in point}
        out += [Metric(name, value, now, point["step"]) for name, value in values.items()]
    return out


def use_case(layout: Layout) -> str:
    """The name of the use case, for MLflow's experiment. No output of the stage depends on it, nor does the stage."""
    return os.environ.get(USE_CASE) or str(config.read_yaml(layout.params)["use_case"]["name"])
