"""Flow runs on the Prefect server: start, resume, cancel and state."""

import contextlib
import os
import time
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any
from uuid import UUID

from flows import deployment_names
from infra.prefect import access
from infra.prefect.server import RunningPrefect
from tasks.core.errors import Refused, Unavailable
from tasks.core.formatting import format_url
from tasks.runs.request import RunRequest
from tasks.runs.requests.signed_requests import Envelope

if TYPE_CHECKING:
    from prefect.client.orchestration import SyncPrefectClient
    from prefect.client.schemas.objects import State

PAUSED_STATE = "PAUSED"
INTERRUPTED_STATES = ("CRASHED", "CANCELLED", "CANCELLING")
ENDED_STATES = (*INTERRUPTED_STATES, "FAILED", "COMPLETED")


@contextmanager
def connected_client(root: Path, prefect: RunningPrefect) -> Iterator["SyncPrefectClient"]:
    """Yield a client of the running Prefect server.

    Inside the block, the server's folder is the current folder. Prefect reads settings from prefect.toml,
    pyproject.toml and .env in the current folder, and such settings can name code to execute.

    Raises:
        Unavailable: The server does not respond, or refuses the secret.
    """
    given = access.client_environment(root, prefect.api, is_own_server=prefect.server is not None) | {
        "PREFECT_LOGGING_LEVEL": "WARNING"
    }
    # Prefect reads its settings on its first import. Without these, its client would start a server of its own.
    os.environ.update(given)
    import httpx

    try:
        with contextlib.chdir(access.prefect_folder(root)):
            from prefect.client.orchestration import SyncPrefectClient

            with SyncPrefectClient(
                prefect.api, auth_string=given.get("PREFECT_API_AUTH_STRING"), api_key=given.get("PREFECT_API_KEY")
            ) as client:
                yield client
    except httpx.HTTPError as error:
        why = f"does not answer ({format_url(str(error))}); start it with `hallmark up`"
        if isinstance(error, httpx.HTTPStatusError) and error.response.status_code == 401:
            why = _authentication_hint(root, prefect)
        raise Unavailable(f"the Prefect server at {format_url(prefect.api)} {why}") from error


def _authentication_hint(root: Path, up: RunningPrefect) -> str:
    if up.server is None:
        return "wants another PREFECT_API_AUTH_STRING or PREFECT_API_KEY; set the one that its owner gives you"
    return f"was started with another secret than {access.secret_file(root)} holds: `hallmark down`, `hallmark up`"


def create_flow_run(
    root: Path,
    prefect: RunningPrefect,
    request: RunRequest,
    envelope: Envelope | None,
    idempotency_key: str | None = None,
    deployment_name: str | None = None,
) -> str:
    """Create a flow run for a run request, and return its id.

    Calls with the same value of `idempotency_key` return the same flow run. `deployment_name` is the full name of the
    deployment; the default is this checkout's own deployment.

    Raises:
        Unavailable: The server does not respond, has no such deployment, or no runner serves it.
    """
    with connected_client(root, prefect) as client:
        from prefect.exceptions import ObjectNotFound

        from flows import flow_runs

        deployment_name = deployment_name or deployment_names.full_runner_deployment_name(root)
        for _ in range(300):  # 60 s: a runner registers the deployment a few seconds after its start
            try:
                deployment = client.read_deployment_by_name(deployment_name)
                break
            except ObjectNotFound:
                if deployment_name != deployment_names.full_runner_deployment_name(root):
                    raise Unavailable(
                        f"Prefect has no deployment {deployment_name}; `hallmark deploy` makes it"
                    ) from None
                if not prefect.runner.is_alive():
                    raise Unavailable(f"the runner ended; look at {prefect.log_place}") from None
                time.sleep(0.2)
        else:
            where = f"{deployment_name} at {format_url(prefect.api)}"
            raise Unavailable(f"no runner serves {where}; see {prefect.log_place}")
        return flow_runs.create_flow_run(client, deployment.id, request, envelope, idempotency_key)


def resume_flow_run(root: Path, prefect: RunningPrefect, flow_run_id: str) -> bool:
    """Resume a flow run if it is suspended, or schedule it again if it crashed.

    Returns:
        Whether the flow run continues. It cannot continue if it has ended, belongs to another checkout or is unknown to
            the server. The run then needs a new flow run.
    """
    with connected_client(root, prefect) as client:
        from prefect.exceptions import ObjectNotFound

        from flows.watch import reschedule_flow_run

        try:
            known = client.read_flow_run(UUID(flow_run_id))
            own_deployment = client.read_deployment_by_name(deployment_names.full_runner_deployment_name(root)).id
        except ObjectNotFound:
            return False
        if known.deployment_id != own_deployment:
            return False  # this checkout is a copy, and the flow run belongs to the original
        state = known.state.type.value if known.state else "SCHEDULED"
        if state == PAUSED_STATE:
            client.resume_flow_run(known.id)
        elif state in INTERRUPTED_STATES:
            return reschedule_flow_run(root, client, known)
        return state not in ENDED_STATES


def cancel_flow_run(root: Path, prefect: RunningPrefect, flow_run_id: str) -> None:
    """Cancel a flow run. This checkout's runner then ends its process and does not restart it.

    Raises:
        Refused: Another machine executes the flow run, or Prefect does not cancel it.
    """
    with connected_client(root, prefect) as client:
        from prefect.exceptions import ObjectNotFound
        from prefect.states import Cancelling

        try:
            known = client.read_flow_run(UUID(flow_run_id))
            own_deployment = client.read_deployment_by_name(deployment_names.full_runner_deployment_name(root)).id
        except (ObjectNotFound, ValueError):
            raise Refused(f"Prefect knows no flow run {flow_run_id} of this checkout") from None
        if known.deployment_id != own_deployment:
            raise Refused(
                "the run is executed for a work pool: whoever runs `hallmark work` there ends it, and another machine "
                "takes it up; to end it for good, reject it at its gate"
            )
        state: State[Any] = Cancelling(message="stopped by `hallmark runs stop`")
        answer = client.set_flow_run_state(known.id, state)
        if answer.state is None or answer.state.type.value != "CANCELLING":
            raise Refused(f"Prefect does not end flow run {flow_run_id}: {answer.details}")


def delete_flow_runs(root: Path, prefect: RunningPrefect, runs: Collection[str]) -> int:
    """Delete the ended flow runs of the given runs, with their logs, and return how many were deleted.

    Args:
        root: Root folder of the checkout. Flow runs of other checkouts are left alone.
        prefect: Running Prefect server.
        runs: Ids of the runs.
    """
    with connected_client(root, prefect) as client:
        from prefect.client.schemas.objects import StateType

        from flows.lifecycle import run_id_of_flow_run
        from flows.suspended_runs import flow_runs_in_state

        ended = flow_runs_in_state(root, client, *map(StateType, ENDED_STATES))
        found = [flow_run for flow_run in ended if run_id_of_flow_run(flow_run) in runs]
        for flow_run in found:
            client.delete_flow_run(flow_run.id)
        return len(found)


def state_of(root: Path, prefect: RunningPrefect, flow_run_id: str) -> tuple[str, str]:
    """Return the type and the message of a flow run's state, for example ("PAUSED", "")."""
    with connected_client(root, prefect) as client:
        state = client.read_flow_run(flow_run_id).state  # type: ignore[arg-type]
    return (state.type.value, state.message or "") if state else ("SCHEDULED", "")
