"""A client of a project's own Prefect server, and flow runs as others start them."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from prefect.client.orchestration import SyncPrefectClient
from prefect.client.schemas.objects import FlowRun
from prefect.client.schemas.responses import DeploymentResponse
from prefect.exceptions import ObjectNotFound

from flows import deployed
from infra.prefect import access, server


@contextmanager
def prefect(project: Path, auth: str | None = None) -> Iterator[SyncPrefectClient]:
    """With the project's secret, whatever settings Prefect was imported with here."""
    up = server.find(project)
    assert up is not None
    with SyncPrefectClient(up.api, auth_string=auth or access.secret(project)) as client:
        yield client


def deployment(client: SyncPrefectClient, project: Path) -> DeploymentResponse:
    """The project's deployment, once its runner has registered it."""
    deadline = time.monotonic() + 300
    while True:
        try:
            return client.read_deployment_by_name(deployed.full_name(project))
        except ObjectNotFound:
            assert time.monotonic() < deadline, "the runner has registered nothing"
            time.sleep(0.5)


def ask_in_prefect(
    client: SyncPrefectClient, project: Path, parameters: dict[str, object] | None = None, **more: object
) -> FlowRun:
    """A flow run as Prefect's form or a schedule makes it."""
    found = deployment(client, project)
    return client.create_flow_run_from_deployment(found.id, parameters=parameters or {}, **more)  # type: ignore[arg-type]
