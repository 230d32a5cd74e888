"""Runs in the queue of the Prefect server: requested, and not begun yet."""

from contextlib import suppress
from pathlib import Path
from typing import Any, NamedTuple

from flows import deployment_names
from infra.prefect import http, server
from tasks.core.errors import HallmarkError
from tasks.runs import journal
from tasks.runs.checkout import Checkout
from tasks.runs.request import is_run_id
from tasks.scheduling import deployments_in_force

MAX_QUEUED = 200
"""Maximum number of runs. The server returns no more in one response."""
QUEUED_STATES = ("SCHEDULED", "PENDING")


class QueuedRun(NamedTuple):
    run: str
    requested_by: str
    reason: str | None
    pool: str | None
    """Work pool whose machines may begin the run; None for the runner of this checkout."""


def read_queue(root: Path) -> list[QueuedRun]:
    """Return the runs that were requested and have not begun, oldest first; empty if Prefect is not up.

    A run that has begun and is to go on is not in the list, because it has a journal.

    Raises:
        Unavailable: The Prefect server does not respond.
    """
    up = server.find(root)
    if up is None:
        return []
    pool_by_deployment: dict[str, str | None] = {deployment_names.runner_deployment_name(root): None}
    with suppress(HallmarkError):  # without a ledger there are no pools
        pool_by_deployment |= _pools(root)
    with http.connected(root, up) as client:
        deployments = http.post(
            client, "/deployments/filter", {"deployments": {"name": {"any_": list(pool_by_deployment)}}}
        )
        ids = {str(each["id"]): pool_by_deployment.get(str(each["name"])) for each in deployments}
        wanted = {"deployments": {"id": {"any_": list(ids)}}, "flow_runs": {"state": {"type": {"any_": QUEUED_STATES}}}}
        flow_runs = http.post(
            client, "/flow_runs/filter", wanted | {"sort": "EXPECTED_START_TIME_ASC", "limit": MAX_QUEUED}
        ) if ids else []  # fmt: skip
        read = [_queued_run(each, ids) for each in flow_runs]
    return [each for each in read if each and journal.read_journal(root / ".hallmark", each.run) is None]


def _pools(root: Path) -> dict[str, str | None]:
    here = Checkout(root)
    declared = deployments_in_force.read_deployments(here.ledger, here.governance).deployments.pools
    return {deployment_names.pool_deployment_name(here.ledger, pool): pool for pool in declared}


def _queued_run(flow_run: dict[str, Any], pools: dict[str, str | None]) -> QueuedRun | None:
    """Return the run of a flow run; None if it names none: whoever reaches the server can write its parameters."""
    request = (flow_run.get("parameters") or {}).get("request")
    request = request if isinstance(request, dict) else {}
    run, by, reason = (request.get(name) for name in ("run_id", "requested_by", "reason"))
    if not (isinstance(run, str) and is_run_id(run)):
        return None
    return QueuedRun(
        run,
        by if isinstance(by, str) else "",
        reason if isinstance(reason, str) else None,
        pools.get(str(flow_run.get("deployment_id"))),
    )
