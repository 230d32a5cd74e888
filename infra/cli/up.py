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
    """Start Prefect with its runner, the watch, the web console and MLflow on loopback.

    Services that are already running are left alone.

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


def _start_all(root: Path, mlflow_start: Future[local_server.RunningServer | None]) -> None:
    started = server.start(root, console.print, more_settings=_source_variables(root))
    console.print(f"up: {started.ui_url} (stop with `hallmark down`)")
    if secret := started.ui_secret_file(root):
        console.print(f"its pages ask for a secret once, at {started.ui_url}: {secret}")
    console.print(f"deployment: {deployment_names.full_runner_deployment_name(root)}")
    console.print(f"console: {pages.start(root, console.print).origin}")
    if mlflow := mlflow_start.result():
        console.print(
            f"mlflow: {mlflow.origin}, user {mlflow_server.USER_NAME}, password in {mlflow_server.secret_file(root)}"
        )


def _source_variables(root: Path) -> set[str]:
    try:
        return sources.find_location_variables(sources.load_sources(root / "infra" / "governance").sources)
    except InputError:
        return set()
