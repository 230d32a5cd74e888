"""Flow runs on the Prefect server: start, resume, cancel and state."""

import contextlib
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any
from uuid import UUID

from flows import deployment_names
from infra.prefect import access
from infra.prefect.server import RunningPrefect
from tasks.core.errors import Refused, Unavailable
from tasks.runs.request import RunRequest
from tasks.runs.requests.signed_requests import Envelope

if TYPE_CHECKING:
    from prefect.client.orchestration import SyncPrefectClient
    from prefect.client.schemas.objects import State

PAUSED = "PAUSED"
INTERRUPTED = ("CRASHED", "CANCELLED", "CANCELLING")
ENDED = (*INTERRUPTED, "FAILED", "COMPLETED")


@contextmanager
def connected(root: Path, up: RunningPrefect) -> Iterator["SyncPrefectClient"]:
    """Yield a client of the running Prefect server.

    Inside the block, the current folder is the server's folder. Prefect reads settings from prefect.toml,
    pyproject.toml and .env in the current folder, and such settings can name code to run.

    Raises:
        Unavailable: The server does not respond, or refuses the secret.
    """
    given = access.client_environment(root, up.api, own=up.server is not None) | {"PREFECT_LOGGING_LEVEL": "WARNING"}
    # Prefect reads its settings on its first import. Without these, its client would start a server of its own.
    os.environ.update(given)
    import httpx

    try:
        with contextlib.chdir(access.folder(root)):
            from prefect.client.orchestration import SyncPrefectClient

            with SyncPrefectClient(
                up.api, auth_string=given.get("PREFECT_API_AUTH_STRING"), api_key=given.get("PREFECT_API_KEY")
            ) as client:
                yield client
    except httpx.HTTPError as error:
        if isinstance(error, httpx.HTTPStatusError) and error.response.status_code == 401:
            raise Unavailable(f"the Prefect server at {up.api} {_authentication_hint(root, up)}") from error
        raise Unavailable(
            f"the Prefect server at {up.api} does not answer ({error}); start it with `hallmark up`"
        ) from error


def _authentication_hint(root: Path, up: RunningPrefect) -> str:
    if up.server is None:
        return "wants another PREFECT_API_AUTH_STRING or PREFECT_API_KEY; set the one that its owner gives you"
    return f"was started with another secret than {access.secret_file(root)} holds: `hallmark down`, `hallmark up`"


def create_flow_run(
    root: Path,
    up: RunningPrefect,
    request: RunRequest,
    envelope: Envelope | None,
    once: str | None = None,
    name: str | None = None,
) -> str:
    """Create a flow run for a run request, and return its id.

    A second call with the same `once` returns the same flow run. `name` is the full name of the deployment, by default
    that of this checkout's deployment.

    Raises:
        Unavailable: The server does not respond, has no such deployment, or no runner serves it.
    """
    with connected(root, up) as client:
        from prefect.exceptions import ObjectNotFound

        name = name or deployment_names.full_runner_deployment(root)
        for _ in range(300):  # 60 s: a runner registers the deployment a few seconds after its start
            try:
                deployment = client.read_deployment_by_name(name)
                break
            except ObjectNotFound:
                if name != deployment_names.full_runner_deployment(root):
                    raise Unavailable(f"Prefect has no deployment {name}; `hallmark deploy` makes it") from None
                if not up.runner.alive():
                    raise Unavailable("the runner ended; its log is .hallmark/prefect/runner.log") from None
                time.sleep(0.2)
        else:
            raise Unavailable(f"no runner serves {name} at {up.api}; see .hallmark/prefect/runner.log")
        parameters = {"request": request.model_dump(mode="json"), "envelope": envelope}
        made = client.create_flow_run_from_deployment(deployment.id, parameters=parameters, idempotency_key=once)
        return str(made.id)


def resume(root: Path, up: RunningPrefect, flow_run: str) -> bool:
    """Resume a flow run if it is suspended, or schedule it again if it crashed.

    Returns:
        Whether the flow run continues. If it has ended, belongs to another checkout or is unknown to the server, the
            run needs a new flow run.
    """
    with connected(root, up) as client:
        from prefect.exceptions import ObjectNotFound

        from flows.watch import reschedule

        try:
            known = client.read_flow_run(UUID(flow_run))
            own_deployment = client.read_deployment_by_name(deployment_names.full_runner_deployment(root)).id
        except ObjectNotFound:
            return False
        if known.deployment_id != own_deployment:
            return False  # this checkout is a copy, and the flow run belongs to the original
        state = known.state.type.value if known.state else "SCHEDULED"
        if state == PAUSED:
            client.resume_flow_run(known.id)
        elif state in INTERRUPTED:
            return reschedule(root, client, known)
        return state not in ENDED


def cancel(root: Path, up: RunningPrefect, flow_run: str) -> None:
    """Cancel a flow run: this checkout's runner ends its process and does not restart it.

    Raises:
        Refused: Another machine executes the flow run, or Prefect does not cancel it.
    """
    with connected(root, up) as client:
        from prefect.exceptions import ObjectNotFound
        from prefect.states import Cancelling

        try:
            known = client.read_flow_run(UUID(flow_run))
            own_deployment = client.read_deployment_by_name(deployment_names.full_runner_deployment(root)).id
        except (ObjectNotFound, ValueError):
            raise Refused(f"Prefect knows no flow run {flow_run} of this checkout") from None
        if known.deployment_id != own_deployment:
            raise Refused(
                "the run is executed for a work pool: whoever runs `hallmark work` there ends it, and another machine "
                "takes it up; to end it for good, reject it at its gate"
            )
        state: State[Any] = Cancelling(message="stopped by `hallmark runs stop`")
        answer = client.set_flow_run_state(known.id, state)
        if answer.state is None or answer.state.type.value != "CANCELLING":
            raise Refused(f"Prefect does not end flow run {flow_run}: {answer.details}")


def state_of(root: Path, up: RunningPrefect, flow_run: str) -> tuple[str, str]:
    """Return the type and the message of a flow run's state, for example ("PAUSED", "")."""
    with connected(root, up) as client:
        state = client.read_flow_run(flow_run).state  # type: ignore[arg-type]
    return (state.type.value, state.message or "") if state else ("SCHEDULED", "")
