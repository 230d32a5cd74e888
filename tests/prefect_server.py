"""A Prefect server that the tests of a session share, if they are not about starting or losing one.

A project is a guest there, as where PREFECT_API_URL names a server that somebody else runs: deployment, runner and
watch are its own. A project with a runner is started by `infra.prefect.server.start`; for flow runs without one there
is `Flows`.
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

from flows import deployed, stages
from flows.retrain import retrain
from infra.prefect import access, server
from infra.prefect.server import Up
from infra.processes import Process, end
from tasks.core.errors import Refused
from tasks.runs.run import Run
from tests import in_process, shared
from tests.checkouts import Checkouts
from tests.patience import patience


class Server(NamedTuple):
    """One that is up, and what whoever uses it needs."""

    api: str
    secret: str

    def client(self) -> SyncPrefectClient:
        return SyncPrefectClient(self.api, auth_string=self.secret)

    @contextmanager
    def used(self) -> Iterator[None]:
        """Have this process and those that it starts use the server."""
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
                for worker in (APILogWorker, EventsWorker):  # at the end of this process the server may be gone
                    worker.drain_all(timeout=patience(10))


@contextmanager
def shared_server(home: Path, checkouts: Checkouts) -> Iterator[Server]:
    """The server of all processes that share the folder `home`."""

    def start() -> dict[str, str]:
        folder = checkouts.ready(home / f"prefect-{uuid4().hex}")  # its tables are made already
        with pytest.MonkeyPatch.context() as environment:
            environment.setenv("HALLMARK_PREFECT_PORT", "0")
            process, api = server._serve(folder, print)
        return {"process": process.model_dump_json(), "api": api, "secret": access.secret(folder)}

    def stop(known: dict[str, str]) -> None:
        end(Process.model_validate_json(known["process"]))

    with shared.service(home, "prefect", start, stop) as known:
        yield Server(known["api"], known["secret"])


def _this_process() -> Process:
    return Process(pid=os.getpid(), started=psutil.Process().create_time())


class Flows:
    """A project's flow runs, executed in this process as the runner has them executed in others."""

    def __init__(self, project: Path, client: SyncPrefectClient) -> None:
        self.project, self.client = project, client
        flow = client.create_flow_from_name(deployed.FLOW)
        self.deployment = client.create_deployment(flow, deployed.name(project), enforce_parameter_schema=False)

    def ask(self, parameters: dict[str, object] | None = None, state: State | None = None) -> FlowRun:
        """A flow run as Prefect's form or a schedule makes it."""
        return self.client.create_flow_run_from_deployment(self.deployment, parameters=parameters or {}, state=state)

    @contextmanager
    def commanded(self) -> Iterator[None]:
        """Have commands of this process find the server up, with nobody there who executes what they ask for."""
        up = Up(api=str(self.client.api_url).rstrip("/"), server=None, runner=_this_process())
        access.folder(self.project).mkdir(parents=True, exist_ok=True)
        with patch.object(server, "start", lambda *_, **__: up):
            yield

    def run(self, *args: str) -> FlowRun:
        """What `hallmark run ARGS` asks for, executed until it parks or ends."""
        return self.execute(self.look(self.asked(*args)[1]))

    def asked(self, *args: str) -> tuple[str, UUID]:
        """Run `hallmark run ARGS`; return what it prints, and the id of the flow run that it asks for."""
        with self.commanded():
            told = in_process.hallmark(self.project, "run", *args, "--detach")
        found = re.search(r"/runs/flow-run/([0-9a-f-]{36})", told)
        assert found, told
        return told, UUID(found[1])

    def execute(self, flow_run: FlowRun) -> FlowRun:
        """Execute a scheduled flow run, with the project as its checkout, until it parks or ends."""
        with pytest.MonkeyPatch.context() as environment, contextlib.suppress(SystemExit):
            environment.setenv("HALLMARK_ROOT", str(self.project))
            with handle_engine_signals(flow_run.id):
                run_flow(retrain, flow_run=self.look(flow_run.id))
        return self.look(flow_run.id)

    @contextmanager
    def no_further_than(self, *names: str) -> Iterator[None]:
        """Have flow runs end, as failed ones, before the first stage that is none of these."""

        def some(run: Run, *wanted: str) -> None:
            stages.stages(run, *(name for name in wanted if name in names))
            if not set(wanted) <= set(names):
                raise Refused("far enough")

        with patch("flows.retrain.stages", some):
            yield

    def all(self, deployment: str = "") -> list[FlowRun]:
        """Flow runs, 200 at most, of the project's own deployment or of another."""
        ours = DeploymentFilter(name=DeploymentFilterName(any_=[deployment or deployed.name(self.project)]))
        return self.client.read_flow_runs(deployment_filter=ours, limit=200)

    def look(self, flow_run: UUID) -> FlowRun:
        """The flow run as the server has it now."""
        return self.client.read_flow_run(flow_run)
