"""Prefect server that the tests of a session share, except tests that start or stop a server.

A project uses it as it would use a remote server in PREFECT_API_URL: the project has its own deployment, runner and
watch. `infra.prefect.server.start` starts a project with a runner; `Flows` executes flow runs without one.
"""

import contextlib
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple
from unittest.mock import patch
from uuid import UUID, uuid4

import psutil
import pytest
from prefect.client.orchestration import SyncPrefectClient
from prefect.client.schemas.filters import DeploymentFilter, DeploymentFilterName
from prefect.client.schemas.objects import FlowRun, State
from prefect.engine import handle_engine_signals
from prefect.events.worker import EventsWorker
from prefect.flow_engine import run_flow
from prefect.logging.handlers import APILogWorker
from prefect.settings import (
    PREFECT_API_AUTH_STRING,
    PREFECT_API_URL,
    PREFECT_SERVER_ALLOW_EPHEMERAL_MODE,
    temporary_settings,
)

from flows import deployment_names, stages
from flows.retrain import retrain
from infra.prefect import access, server
from infra.prefect.server import RunningPrefect
from infra.processes import Process, end_process
from tasks.core.errors import Refused
from tasks.runs.run import Run
from tests import in_process, shared
from tests.checkouts import Checkouts
from tests.patience import patience


class Server(NamedTuple):
    """Address and secret of a running server."""

    api: str
    secret: str

    def client(self) -> SyncPrefectClient:
        return SyncPrefectClient(self.api, auth_string=self.secret)

    @contextmanager
    def used(self) -> Iterator[None]:
        """Make this process and its children use the server while the block runs."""
        settings = {
            PREFECT_API_URL: self.api,
            PREFECT_API_AUTH_STRING: self.secret,
            PREFECT_SERVER_ALLOW_EPHEMERAL_MODE: False,
        }
        with pytest.MonkeyPatch.context() as environment, temporary_settings(settings):
            environment.setenv("PREFECT_API_URL", self.api)
            environment.setenv("PREFECT_API_AUTH_STRING", self.secret)
            try:
                yield
            finally:
                for worker in (APILogWorker, EventsWorker):  # the server may have ended before this process does
                    worker.drain_all(timeout=patience(10))


@contextmanager
def shared_server(home: Path, checkouts: Checkouts) -> Iterator[Server]:
    """Yield the server that all processes with the folder `home` share."""

    def start() -> dict[str, str]:
        folder = checkouts.ready(home / f"prefect-{uuid4().hex}")  # a checkout that has Prefect's tables
        with pytest.MonkeyPatch.context() as environment:
            environment.setenv("HALLMARK_PREFECT_PORT", "0")
            process, api = server._start_server(folder, print)
        return {"process": process.model_dump_json(), "api": api, "secret": access.server_secret(folder)}

    def stop(known: dict[str, str]) -> None:
        end_process(Process.model_validate_json(known["process"]))

    with shared.service(home, "prefect", start, stop) as known:
        yield Server(known["api"], known["secret"])


def _this_process() -> Process:
    return Process(pid=os.getpid(), started=psutil.Process().create_time())


class Flows:
    """Flow runs of a project, executed in this process and not by a runner in processes of their own."""

    def __init__(self, project: Path, client: SyncPrefectClient) -> None:
        self.project, self.client = project, client
        flow = client.create_flow_from_name(deployment_names.FLOW_NAME)
        self.deployment = client.create_deployment(
            flow, deployment_names.runner_deployment_name(project), enforce_parameter_schema=False
        )

    def ask(self, parameters: dict[str, object] | None = None, state: State | None = None) -> FlowRun:
        """Create a flow run as Prefect's form or a schedule would."""
        return self.client.create_flow_run_from_deployment(self.deployment, parameters=parameters or {}, state=state)

    @contextmanager
    def commanded(self) -> Iterator[None]:
        """Make commands in this process use the server, without a runner that executes the runs they request."""
        up = RunningPrefect(api=str(self.client.api_url).rstrip("/"), server=None, runner=_this_process())
        access.prefect_folder(self.project).mkdir(parents=True, exist_ok=True)
        with patch.object(server, "start", lambda *_, **__: up):
            yield

    def run(self, *args: str) -> FlowRun:
        """Execute the flow run that `hallmark run ARGS` requests, until it is suspended or ends."""
        return self.execute(self.look(self.asked(*args)[1]))

    def asked(self, *args: str) -> tuple[str, UUID]:
        """Run `hallmark run ARGS`; return its output, and the id of the flow run that it requests."""
        with self.commanded():
            told = in_process.hallmark(self.project, "run", *args, "--detach")
        found = re.search(r"/runs/flow-run/([0-9a-f-]{36})", told)
        assert found, told
        return told, UUID(found[1])

    def execute(self, flow_run: FlowRun) -> FlowRun:
        """Execute a scheduled flow run, with the project as its checkout, until it is suspended or ends."""
        with pytest.MonkeyPatch.context() as environment, contextlib.suppress(SystemExit):
            environment.setenv("HALLMARK_ROOT", str(self.project))
            with handle_engine_signals(flow_run.id):
                run_flow(retrain, flow_run=self.look(flow_run.id))
        return self.look(flow_run.id)

    @contextmanager
    def no_further_than(self, *names: str) -> Iterator[None]:
        """Make flow runs fail before the first stage that is not in `names`."""

        def some(run: Run, *wanted: str) -> None:
            stages.run_stages(run, *(name for name in wanted if name in names))
            if not set(wanted) <= set(names):
                raise Refused("far enough")

        with patch("flows.retrain.run_stages", some):
            yield

    def all(self, deployment: str = "") -> list[FlowRun]:
        """Return the first 200 flow runs of a deployment, by default the project's own."""
        ours = DeploymentFilter(
            name=DeploymentFilterName(any_=[deployment or deployment_names.runner_deployment_name(self.project)])
        )
        return self.client.read_flow_runs(deployment_filter=ours, limit=200)

    def look(self, flow_run: UUID) -> FlowRun:
        """Return the current state of a flow run from the server."""
        return self.client.read_flow_run(flow_run)
