"""Command `hallmark up`."""

import contextlib
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

from flows import deployment_names
from infra import local_server, mlflow_server
from infra.cli.shared import checkout_root, console
from infra.console import server as pages
from infra.prefect import server
from tasks.core.errors import HallmarkError, InputError
from tasks.sources import sources


def up() -> None:
    """Start Prefect with its runner, the watch, the web console and MLflow on loopback, unless they are running.

    Example: hallmark up
    """
    where = checkout_root()
    console.print("starting what is not up yet …")
    before = mlflow_server.find(where)
    with ThreadPoolExecutor(1) as executor:
        others = executor.submit(mlflow_server.start, where, console.print)
        try:
            _start_all(where, others)
        except KeyboardInterrupt:
            console.print("ending what was begun …")
            with contextlib.suppress(HallmarkError):
                others.result()
            if before is None:
                mlflow_server.stop(where)
            raise


def _start_all(where: Path, others: Future[local_server.RunningServer | None]) -> None:
    started = server.start(where, console.print, also=_source_variables(where))
    console.print(f"up: {started.ui} (stop with `hallmark down`)")
    if secret := started.ui_secret_file(where):
        console.print(f"its pages ask for a secret once, at {started.ui}: {secret}")
    console.print(f"deployment: {deployment_names.full_runner_deployment(where)}")
    console.print(f"console: {pages.start(where, console.print).origin}")
    if mlflow := others.result():
        console.print(
            f"mlflow: {mlflow.origin}, user {mlflow_server.USER}, password in {mlflow_server.secret_file(where)}"
        )


def _source_variables(where: Path) -> set[str]:
    try:
        return sources.location_variables(sources.load(where / "infra" / "governance").sources)
    except InputError:
        return set()
