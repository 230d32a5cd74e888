"""What `hallmark up` starts: who has not the secret gets nothing, and who has runs no code of their own."""

import contextlib
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple
from uuid import UUID

import httpx
import psutil
import pytest
from prefect.client.orchestration import SyncPrefectClient
from prefect.client.schemas.schedules import IntervalSchedule
from websockets.exceptions import ConnectionClosed, InvalidHandshake
from websockets.sync.client import connect

from flows import deployment_names
from infra import mlflow_server
from infra.console import server as pages
from infra.prefect import access, server
from infra.prefect.server import RunningPrefect
from infra.processes import Process
from tasks.core.errors import InputError
from tasks.core.graph import DATA_STAGE_NAMES
from tasks.runs import journal
from tests import tiny_project
from tests.checkouts import Checkouts
from tests.in_process import hallmark, hallmark_json
from tests.patience import patience, wait_until
from tests.prefect_client import deployment, planted, prefect
from tests.private_state import open_to_others
from tests.processes import title
from tests.run_states import wait_for

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1500)]

SOCKETS = ("/events/in", "/events/out", "/logs/out", "/task_runs/subscriptions/scheduled")


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory, checkouts: Checkouts) -> Iterator[Path]:
    folder = checkouts.warm(tmp_path_factory.mktemp("project"))
    with pytest.MonkeyPatch.context() as environment:
        for name in ("PREFECT", "CONSOLE", "MLFLOW"):
            environment.setenv(f"HALLMARK_{name}_PORT", "0")
        yield folder
        hallmark(folder, "down")


@pytest.fixture(scope="module")
def said(project: Path) -> str:
    """What `hallmark up` says, where somebody else has the console's port."""
    with socket.create_server(("127.0.0.1", 0)) as taken, pytest.MonkeyPatch.context() as environment:
        port = str(taken.getsockname()[1])
        environment.setenv("HALLMARK_CONSOLE_PORT", port)
        told = tiny_project.hallmark(project, "up")
    assert f"port {port} is in use; taking a free one for the console" in told
    return told


@pytest.fixture(scope="module")
def up(project: Path, said: str) -> RunningPrefect:
    assert str(access.secret_file(project)) in said and access.server_secret(project) not in said
    found = server.find(project)
    assert found is not None and found.server is not None
    return found


def test_every_address_that_up_says_answers(project: Path, up: RunningPrefect, said: str) -> None:
    origins = dict(re.findall(r"^(up|console|mlflow): (http://127\.0\.0\.1:\d+)", said, re.M))
    answers = {name: httpx.get(origin, follow_redirects=True) for name, origin in origins.items()}
    assert {name: each.status_code for name, each in answers.items()} == {"up": 200, "console": 200, "mlflow": 401}
    assert "Sign in" in answers["console"].text and "Prefect" in answers["up"].text


def test_up_again_starts_nothing(project: Path, up: RunningPrefect, said: str) -> None:
    before = (server.find(project), pages.find(project), mlflow_server.find(project))
    assert None not in before
    again = hallmark(project, "up")
    assert set(re.findall(r"http://\S+", again)) == set(re.findall(r"http://\S+", said))
    assert (server.find(project), pages.find(project), mlflow_server.find(project)) == before


def test_no_socket_answers_without_the_secret(project: Path, up: RunningPrefect) -> None:
    for path in SOCKETS:
        url = up.api.replace("http", "ws", 1) + path
        for kinds in (None, ["prefect"]):
            with (
                pytest.raises((ConnectionClosed, InvalidHandshake)),
                connect(url, subprotocols=kinds, open_timeout=patience(30)) as socket,  # type: ignore[arg-type]
            ):
                socket.send(json.dumps({"type": "auth", "token": "wrong"}))
                assert json.loads(socket.recv(timeout=patience(30))).get("type") != "auth_success"
                socket.recv(timeout=patience(30))


def test_the_secret_is_for_its_owner_alone(project: Path, up: RunningPrefect) -> None:
    secret = access.server_secret(project)
    assert access.secret_file(project).stat().st_mode & 0o777 == 0o600
    started = [psutil.Process(one.pid) for one in (up.server, up.runner) if one]
    every = [*started, *(child for one in started for child in one.children(recursive=True))]
    assert not any(secret in title(one) for one in every)
    files = (path for path in (project / ".hallmark").rglob("*") if path.is_file())
    assert [path for path in files if holds(path, secret.encode())] == [access.secret_file(project)]
    access.secret_file(project).chmod(0o640)
    with pytest.raises(InputError, match="others can read"):
        access.server_secret(project)
    access.secret_file(project).chmod(0o600)


def test_a_server_that_was_started_with_another_secret_is_told(project: Path, up: RunningPrefect) -> None:
    secret = access.server_secret(project)
    access.secret_file(project).write_text("another")
    told = hallmark(project, "run", "--as", "ml-engineer", code=3)
    access.secret_file(project).write_text(secret)
    assert "was started with another secret" in told and secret not in told and "another\n" not in told


def holds(path: Path, what: bytes) -> bool:
    with contextlib.suppress(FileNotFoundError):  # it goes while they are looked at
        return what in path.read_bytes()
    return False


def flow_run_processes(up: RunningPrefect) -> list[psutil.Process]:
    found = psutil.Process(up.runner.pid).children(recursive=True)
    return [one for one in found if "resource_tracker" not in title(one)]


def to_all(processes: list[psutil.Process], number: signal.Signals) -> None:
    for process in processes:
        with contextlib.suppress(psutil.NoSuchProcess):
            process.send_signal(number)


def state_of(client: SyncPrefectClient, flow_run: UUID) -> str:
    state = client.read_flow_run(flow_run).state
    return state.type.value if state else ""


@pytest.fixture(scope="module")
def touched(tmp_path_factory: pytest.TempPathFactory, project: Path, up: RunningPrefect) -> Path:
    """What comes to be where somebody has the runner follow what a deployment says of its code: steps before a run,
    another entrypoint, another folder."""
    folder = tmp_path_factory.mktemp("other")
    touched, other = folder / "touched", folder / "other.py"
    other.write_text(f"open({str(touched)!r}, 'w')")
    shell = {"prefect.deployments.steps.run_shell_script": {"script": f"touch {touched}"}}
    changed = {"pull_steps": [shell], "entrypoint": f"{other}:flow", "path": str(folder)}
    with prefect(project) as client:
        found = deployment(client, project)
        client.request("PATCH", "/deployments/{id}", path_params={"id": found.id}, json=changed)
    return touched


@pytest.fixture(scope="module")
def scheduled(project: Path, up: RunningPrefect, touched: Path) -> dict[str, object]:
    """A run that Prefect's own schedule began, and whose process was killed. The runner then looks for hooks of the
    crashed flow in its own process."""
    with prefect(project) as client:
        found = deployment(client, project)
        soon = IntervalSchedule(interval=timedelta(seconds=20), anchor_date=datetime.now(UTC))
        (schedule,) = client.create_deployment_schedules(found.id, [(soon, True)])

        def begun() -> bool:
            """Stop the flow run for each look: its stages are cached, so it would park within a second."""
            to_all(flow_run_processes(up), signal.SIGSTOP)
            if any(known.stages for known in journal.read_journals(project / ".hallmark")):
                return True
            to_all(flow_run_processes(up), signal.SIGCONT)
            return False

        wait_until(begun, "the schedule's run to begin", seconds=120, every=0.1)
        (line,) = (line for line in hallmark_json(project, "status") if line["stages"])
        to_all(flow_run_processes(up), signal.SIGKILL)
        client.delete_deployment_schedule(found.id, schedule.id)
        flow_run = UUID(str(line["flow_run"]))
        wait_until(
            lambda: state_of(client, flow_run) == "CRASHED", "the runner to report the crash", every=0.3,
            saw=lambda: state_of(client, flow_run),
        )  # fmt: skip
    return line


def test_a_schedule_of_prefects_own_starts_a_run(scheduled: dict[str, object]) -> None:
    """It gives no parameters."""
    assert scheduled["requested_by"] == "scheduler" and scheduled["status"] == "running"


class Ended(NamedTuple):
    known: dict[str, Any]
    planted: Path


@pytest.fixture(scope="module")
def rejected(
    tmp_path_factory: pytest.TempPathFactory, project: Path, up: RunningPrefect, scheduled: dict[str, object]
) -> Ended:
    """A run of `prefect deployment run`, without parameters, that is rejected at its gate; while it is parked, results
    are planted for all its stages."""
    made = tmp_path_factory.mktemp("planted") / "made"
    own = {"PREFECT_API_URL": up.api, "PREFECT_API_AUTH_STRING": access.server_secret(project)}
    command = [
        Path(sys.executable).with_name("prefect"),
        "deployment",
        "run",
        deployment_names.full_runner_deployment_name(project),
    ]
    done = subprocess.run(command, env=os.environ | own, cwd=made.parent, check=True, capture_output=True, text=True)

    def parked() -> list[dict[str, Any]]:
        known = hallmark_json(project, "status")
        return [line for line in known if str(line["flow_run"]) in done.stdout and line["status"] == "waiting"]

    (line,) = wait_until(parked, "the run to park", seconds=120, every=0.3, saw=lambda: done.stdout)
    run = str(line["run"])
    assert line["requested_by"] == "scheduler"
    storage = access.prefect_folder(project) / "storage" / str(line["flow_run"])
    storage.parent.mkdir(mode=0o700, exist_ok=True)
    for stage in DATA_STAGE_NAMES:
        path = storage / stage
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(planted(made))
    hallmark(project, "gates", "reject", run, "data", "--as", "data-owner", "--reason", "a drill")
    ended = wait_for(project, run, "failed")
    shutil.rmtree(storage)
    return Ended(ended, made)


@pytest.mark.attack(rights="orchestrator", stopped="no result of a flow run is kept in Prefect or read from it")
def test_prefects_own_command_starts_a_run_that_reads_no_planted_result(rejected: Ended) -> None:
    assert "data-owner rejected: a drill" in rejected.known["error"]
    assert rejected.known["stages"].keys() == set(DATA_STAGE_NAMES)
    assert not rejected.planted.exists()


@pytest.mark.attack(rights="orchestrator", stopped="the runner starts the flow that it has, and follows no deployment")
def test_what_a_deployment_says_of_its_code_is_not_followed(touched: Path, rejected: Ended) -> None:
    """After a run that crashed, and after one that failed."""
    assert not touched.exists()


def test_what_server_runner_and_runs_made_is_their_owners_alone(project: Path, rejected: Ended) -> None:
    assert open_to_others(project / ".hallmark") == []


@pytest.mark.parametrize("name", ["runner", "watch"])
def test_a_runner_or_a_watch_that_is_killed_is_started_again(
    project: Path, up: RunningPrefect, rejected: Ended, name: str
) -> None:
    """The other of the two starts it, and not as its own child, with which it would be ended."""

    def running() -> Process:
        found = getattr(server._read_state(project), name)
        assert isinstance(found, Process)
        return found

    before, other = running(), {"runner": "watch", "watch": "runner"}[name]
    psutil.Process(before.pid).kill()
    wait_until(lambda: running() != before, f"the {other} to start another {name}", saw=running)
    now = server.find(project)
    assert now is not None and running().is_alive()
    children = partial(psutil.Process(getattr(now, other).pid).children, recursive=True)
    wait_until(lambda: running().pid not in [each.pid for each in children()], f"the {name} to have no parent but init")
    assert (now.api, now.server, now.settings) == (up.api, up.server, up.settings)


def test_where_server_and_runner_died_up_starts_all_anew_with_another_secret(
    project: Path, up: RunningPrefect, rejected: Ended
) -> None:
    """Others may have listened on the server's port since, and been told the secret."""
    before, shown = access.server_secret(project), pages.find(project)
    up = server.find(project) or up  # with the runner and the watch that were started again
    assert up.server is not None
    for process in (up.runner, up.server):
        psutil.Process(process.pid).kill()
    wait_until(lambda: not (up.runner.is_alive() or up.server.is_alive()), "both to be gone")
    hallmark(project, "up")
    again = server.find(project)
    assert again is not None and again.server is not None and again.watch is not None
    assert {again.server, again.runner, again.watch}.isdisjoint({up.server, up.runner, up.watch})
    assert not any(one and one.is_alive() for one in (up.server, up.watch)), "none is left of those before"
    assert pages.find(project) == shown, "the console went on"
    assert access.server_secret(project) != before
    with prefect(project) as client:
        assert deployment(client, project).name == deployment_names.runner_deployment_name(project)
