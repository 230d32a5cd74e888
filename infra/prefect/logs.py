"""Log lines of a run, from the Prefect server."""

from datetime import datetime
from pathlib import Path

import httpx

from flows import deployment_names
from infra.prefect import http, server
from tasks.core.documents.config import FrozenModel
from tasks.core.errors import Unavailable
from tasks.ledger.ledger import Ledger

MAX_FLOW_RUNS = 50
"""Maximum number of a run's flow runs whose log lines are read, newest first."""
MAX_LINES = 200
"""Maximum number of log lines. The server returns no more in one response."""
MAX_LINE_LENGTH = 4_000
LEVELS = {10: "debug", 20: "info", 30: "warning", 40: "error", 50: "critical"}


class LogLine(FrozenModel):
    time: datetime
    level: str
    text: str


def read_log_lines(root: Path, ledger: Ledger, run: str, pools: list[str]) -> list[LogLine]:
    """Return the last log lines of a run, oldest first, from this checkout's runner and from the work pools.

    Raises:
        Unavailable: The server is not running or does not respond.
    """
    up = server.find(root)
    if up is None:
        raise Unavailable("the Prefect server, which keeps what runs log, is not up here; `hallmark up` starts it")
    ours = [
        deployment_names.runner_deployment_name(root),
        *(deployment_names.pool_deployment_name(ledger, pool) for pool in pools),
    ]
    with http.connected(root, up) as client:
        return _fetch_lines(client, run, ours)


def _fetch_lines(client: httpx.Client, run: str, deployments: list[str]) -> list[LogLine]:
    wanted = {"flow_runs": {"name": {"any_": [run]}}, "deployments": {"name": {"any_": deployments}}}
    made = http.post(client, "/flow_runs/filter", wanted | {"sort": "START_TIME_DESC", "limit": MAX_FLOW_RUNS})
    if not made:
        return []
    of = {"flow_run_id": {"any_": [str(flow_run["id"]) for flow_run in made]}}
    said = http.post(client, "/logs/filter", {"logs": of, "sort": "TIMESTAMP_DESC", "limit": MAX_LINES})
    return [
        LogLine(
            time=line["timestamp"],
            level=LEVELS.get(line["level"], "other"),
            text=str(line["message"])[:MAX_LINE_LENGTH],
        )
        for line in reversed(said[:MAX_LINES])
    ]
