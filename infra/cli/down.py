"""Command `hallmark down`."""

from infra import mlflow_server
from infra.cli.shared import checkout_root, console
from infra.console import server as pages
from infra.gateway import server as gateway
from infra.prefect import server
from tasks.runs import journal


def down() -> None:
    """Stop the Prefect server, runner, watch, console, MLflow server and gateway of this checkout.

    A run in progress continues after the next `hallmark up`. Suspended runs keep waiting.

    Example: hallmark down
    """
    where = checkout_root()
    going = [known.run for known in journal.read_journals(where / ".hallmark") if known.status == "running"]
    if any(each.find(where) for each in (server, pages, mlflow_server, gateway)):
        console.print("stopping …")
    stopped = [server.stop(where), pages.stop(where), mlflow_server.stop(where), gateway.stop(where)]
    console.print("stopped" if any(stopped) else "nothing was up")
    for run in going:
        console.print(f"run {run} goes on with the next `hallmark up`")
