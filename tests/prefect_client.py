"""Client of a project's own Prefect server."""

import base64
import json
import os
import pickle
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from uuid import UUID

from prefect.client.orchestration import SyncPrefectClient
from prefect.client.schemas.filters import ArtifactFilter, ArtifactFilterFlowRunId
from prefect.client.schemas.objects import Artifact
from prefect.client.schemas.responses import DeploymentResponse
from prefect.exceptions import ObjectNotFound

from flows import deployment_names
from infra.prefect import access, server
from tests.patience import wait_until


@contextmanager
def prefect(project: Path) -> Iterator[SyncPrefectClient]:
    """Yield a client with the secret of the project's server, independent of the settings of this process."""
    up = server.find(project)
    assert up is not None
    secret = access.server_secret(project) if up.server else os.environ["PREFECT_API_AUTH_STRING"]
    with SyncPrefectClient(up.api, auth_string=secret) as client:
        yield client


def artifacts(project: Path, flow_run: str) -> list[Artifact]:
    """Return the first 200 artifacts of a flow run."""
    wanted = ArtifactFilter(flow_run_id=ArtifactFilterFlowRunId(any_=[UUID(flow_run)]))
    with prefect(project) as client:
        return client.read_artifacts(artifact_filter=wanted, limit=200)


def deployment(client: SyncPrefectClient, project: Path) -> DeploymentResponse:
    """Wait until the project's runner has registered its deployment, and return the deployment."""

    def look() -> DeploymentResponse | None:
        with suppress(ObjectNotFound):
            return client.read_deployment_by_name(deployment_names.full_runner_deployment_name(project))
        return None

    found = wait_until(look, "the runner to register its deployment", every=0.5, seconds=120)
    assert found is not None
    return found


class Planted:
    def __init__(self, path: Path) -> None:
        self.path = str(path)

    def __reduce__(self) -> tuple[object, ...]:
        return (os.mkdir, (self.path,))


def planted(path: Path) -> bytes:
    """Return a result as Prefect keeps one, which says that it is a pickle, and makes a folder when it is read."""
    text = base64.encodebytes(pickle.dumps(Planted(path))).decode()
    how = {"serializer": {"type": "pickle", "picklelib": "cloudpickle", "picklelib_version": None}}
    return json.dumps({"metadata": how, "result": text}).encode()
