"""Trials as MLflow runs. MLflow only displays the trials, so a sweep continues if MLflow cannot be reached."""

from collections.abc import Mapping

from tasks.core.databases import mlflow_database
from tasks.core.layout import Layout
from tasks.runs.reporting import mlflow_runs
from tasks.runs.reporting.training_curve import CurvePoint
from tasks.sweep.trial import TrialOutcome

RUN_TAG, TRIAL_TAG = "hallmark.sweep", "hallmark.trial"
"""Names of the MLflow tags with the id of the run whose rows were used, and with the number of the trial."""


def log_trial(
    layout: Layout, use_case: str, run: str, trial_number: int, changes: Mapping[str, str], outcome: TrialOutcome
) -> str | None:
    """Log a trial in MLflow. Return an error message if this fails, else None."""
    mlflow_runs.set_short_timeouts()
    try:
        _log_to_mlflow(layout, use_case, run, trial_number, changes, outcome)
    except Exception as error:  # no failure of tracking may end a sweep
        return f"tracking is away ({type(error).__name__}: {error}); trial {trial_number} is not in MLflow"
    return None


def _log_to_mlflow(
    layout: Layout, use_case: str, run: str, trial_number: int, changes: Mapping[str, str], outcome: TrialOutcome
) -> None:
    from mlflow import MlflowClient
    from mlflow.entities import Param

    mlflow_database.create_mlflow_tables(uri := mlflow_runs.tracking_uri(layout))
    client = MlflowClient(uri)
    key = mlflow_runs.find_or_create_experiment(client, f"{use_case} sweeps", layout)
    tags = {RUN_TAG: run, TRIAL_TAG: str(trial_number)}
    made = client.create_run(key, tags=tags, run_name=f"{run} trial {trial_number}").info.run_id
    client.log_batch(made, params=[Param(name, value) for name, value in changes.items()])
    mlflow_runs.log_points(client, made, [CurvePoint.model_validate(point) for point in outcome.points])
    client.log_metric(made, "best_validation_loss", outcome.best_point["validation_loss"])
    client.set_terminated(made, "KILLED" if outcome.stopped else "FINISHED")
