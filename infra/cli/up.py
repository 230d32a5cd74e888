"""Command `hallmark up`."""

import contextlib
from concurrent.futures import Future, ThreadPoolExecutor
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from flows import deployment_names
from infra import foreground, local_server, mlflow_server
from infra.cli.shared import checkout_root, console
from infra.console import server as pages
from infra.foreground import Controls
from infra.logs.settings import log_format
from infra.prefect import server
from tasks.core.errors import HallmarkError, InputError
from tasks.sources import sources


class Service(StrEnum):
    PREFECT = "prefect"
    CONSOLE = "console"
    MLFLOW = "mlflow"


def up(
    service: Annotated[
        Service | None,
        typer.Option("--foreground", help="Start only this service, and stay until it is stopped, for systemd."),
    ] = None,
) -> None:
    """Start Prefect with its runner, the watch, the web console and MLflow on loopback.

    Services that are already running are left alone. With --foreground, the logs go to standard error, and SIGTERM or
    Ctrl-C stops the service as `hallmark down` does. Service `prefect` includes the runner and the watch.

    Example: hallmark up
    """
    where = checkout_root()
    log_format()
    if service:
        foreground.run_in_foreground(service, _service_controls(service, where))
        return
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


def _service_controls(service: Service, root: Path) -> Controls:
    match service:
        case Service.PREFECT:
            return Controls(
                start=lambda: server.start(root, console.print),
                stop=lambda: server.stop(root),
                is_working=lambda: server.is_working(root),
                is_recorded=lambda: server.is_recorded(root),
            )
        case Service.CONSOLE:
            return foreground.local_controls(pages.console_folder(root), lambda: pages.start(root, console.print))
        case Service.MLFLOW:
            return foreground.local_controls(mlflow_server.mlflow_folder(root), lambda: _start_mlflow(root))


def _start_mlflow(root: Path) -> None:
    if mlflow_server.start(root, console.print) is None:
        raise InputError(
            f"MLflow is not started here: {mlflow_server.PORT_VARIABLE} is off, or "
            f"{mlflow_server.EXTERNAL_SERVER_VARIABLE} names a server"
        )
