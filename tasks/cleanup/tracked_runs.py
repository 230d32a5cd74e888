"""MLflow's records of runs whose files were removed."""

import os
import subprocess
import sys
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import Any

from tasks.core.errors import Unavailable
from tasks.core.layout import Layout
from tasks.runs.reporting import mlflow_runs

PAGE_SIZE = 500
IDS_PER_COMMAND = 500


def delete_tracked_runs(root: Path, cleaned: Collection[str]) -> int:
    """Delete the records of runs in MLflow, and return their number. An interrupted call can be repeated.

    On a tracking server that somebody else runs, they are only marked as deleted. Its owner removes them with `mlflow
    gc`.

    Args:
        root: Root folder of the checkout.
        cleaned: Ids of the runs.

    Raises:
        Unavailable: MLflow cannot be reached.
    """
    layout = Layout(root)
    if not cleaned or not may_have_records(root):
        return 0
    uri, is_own = mlflow_runs.tracking_uri(layout), mlflow_runs.is_own_database(layout)
    mlflow_runs.set_short_timeouts()
    from mlflow.entities import LifecycleStage
    from mlflow.exceptions import MlflowException
    from mlflow.tracking import MlflowClient

    try:
        client = MlflowClient(uri)
        found = [run for run in _all_runs(client) if run.data.tags.get(mlflow_runs.RUN_TAG) in cleaned]
        shown = [run for run in found if run.info.lifecycle_stage == LifecycleStage.ACTIVE]
        for run in shown:
            client.delete_run(run.info.run_id)
    except MlflowException as error:
        raise Unavailable(f"MLflow, which shows these runs, cannot be used ({error}); try again") from error
    if not is_own:
        return len(shown)
    _collect(uri, [run.info.run_id for run in found])
    return len(found)


def may_have_records(root: Path) -> bool:
    """Return whether MLflow may have records of runs: always if they are at a server."""
    layout = Layout(root)
    return not mlflow_runs.is_own_database(layout) or (layout.state / "mlflow" / "mlflow.db").exists()


def _all_runs(client: Any) -> Iterator[Any]:
    """Yield all runs, also those that an interrupted call has only marked as deleted."""
    from mlflow.entities import ViewType

    keys, token = [each.experiment_id for each in client.search_experiments(ViewType.ALL)], ""
    while keys:
        page = client.search_runs(keys, "", ViewType.ALL, max_results=PAGE_SIZE, page_token=token or None)
        yield from page
        if not (token := page.token):
            return


def _collect(uri: str, ids: list[str]) -> None:
    """Remove runs that are marked as deleted from a database of our own."""
    for begin in range(0, len(ids), IDS_PER_COMMAND):
        command = [sys.executable, "-I", "-m", "mlflow", "gc", "--backend-store-uri", uri]
        done = subprocess.run(
            [*command, "--run-ids", ",".join(ids[begin : begin + IDS_PER_COMMAND])],
            env=os.environ | {"MLFLOW_TRACKING_URI": uri}, capture_output=True, text=True,
        )  # fmt: skip
        if done.returncode:
            lines = done.stderr.strip().splitlines() or ["no reason given"]
            raise Unavailable(f"`mlflow gc` failed: {lines[-1]}")
