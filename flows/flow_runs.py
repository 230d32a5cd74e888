"""Flow runs as Prefect's pages list them: named by their run, with tags to filter by."""

from contextlib import suppress
from uuid import UUID

import httpx
from prefect.client.orchestration import SyncPrefectClient, get_client
from prefect.client.schemas.objects import FlowRun
from prefect.exceptions import PrefectException

from tasks.runs.request import RunRequest
from tasks.runs.requests.signed_requests import Envelope
from tasks.runs.run import Run


def create_flow_run(
    client: SyncPrefectClient,
    deployment: UUID,
    request: RunRequest,
    envelope: Envelope | None,
    idempotency_key: str | None = None,
) -> str:
    """Create the flow run of a run request, and return its id in Prefect.

    The name of the flow run is the run's id from the start, even while it is queued. Calls with the same
    `idempotency_key` return the same flow run.
    """
    made = client.create_flow_run_from_deployment(
        deployment,
        name=request.run_id,
        parameters={"request": request.model_dump(mode="json"), "envelope": envelope},
        tags=[f"asked-by:{request.requested_by}"],
        idempotency_key=idempotency_key,
    )
    return str(made.id)


def tag_flow_run(flow_run: FlowRun, run: Run) -> None:
    """Tag a flow run with the use case and the risk tier of its run, which are known once the run is resolved.

    If Prefect rejects the tags, the run continues.
    """
    use_case = run.params.use_case
    added = {f"asked-by:{run.request.requested_by}", f"use-case:{use_case.name}", f"tier:{use_case.risk_tier}"}
    if added <= set(flow_run.tags):
        return
    with suppress(httpx.HTTPError, PrefectException), get_client(sync_client=True) as client:
        client.update_flow_run(flow_run.id, tags=sorted(added.union(flow_run.tags)))
