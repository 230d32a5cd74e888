"""Server and runner as they are started: who has not the secret gets nothing, and who has runs no code of their own."""

import base64
import contextlib
import json
import os
import pickle
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from uuid import UUID

import psutil
import pytest
from prefect.client.orchestration import SyncPrefectClient
from websockets.exceptions import ConnectionClosed, InvalidHandshake
from websockets.sync.client import connect

from flows import deployed
from infra.prefect import access, server
from infra.prefect.server import Up
from tasks.core.errors import InputError
from tasks.core.graph import DATA_STAGES
from tests import tiny_project
from tests.checkouts import Checkouts
from tests.in_process import hallmark, hallmark_json
from tests.prefect_client import ask_in_prefect, deployment, prefect
from tests.private_state import open_to_others
from tests.processes import title

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1500)]

SOCKETS = ("/events/in", "/events/out", "/logs/out", "/task_runs/subscriptions/scheduled")


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory, checkouts: Checkouts) -> Iterator[Path]:
    folder = checkouts.ready(tmp_path_factory.mktemp("project"))
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("HALLMARK_PREFECT_PORT", "0")
        yield folder
        tiny_project.hallmark(folder, "down")


@pytest.fixture(scope="module")
def up(project: Path) -> Up:
    told = tiny_project.hallmark(project, "up")
    assert str(access.secret_file(project)) in told and access.secret(project) not in told
    found = server.find(project)
    assert found is not None and found.server is not None
    return found


def test_no_socket_answers_without_the_secret(project: Path, up: Up) -> None:
    for path in SOCKETS:
        for kinds in (None, ["prefect"]):
            with (
                pytest.raises((ConnectionClosed, InvalidHandshake)),
                connect(up.api.replace("http", "ws", 1) + path, subprotocols=kinds, open_timeout=60) as socket,  # type: ignore[arg-type]
            ):
                socket.send(json.dumps({"type": "auth", "token": "wrong"}))
                assert json.loads(socket.recv(timeout=30)).get("type") != "auth_success"
                socket.recv(timeout=30)


def test_the_secret_is_for_its_owner_alone(project: Path, up: Up) -> None:
    secret = access.secret(project)
    assert access.secret_file(project).stat().st_mode & 0o777 == 0o600
    started = [psutil.Process(one.pid) for one in (up.server, up.runner) if one]
    every = [*started, *(child for one in started for child in one.children(recursive=True))]
    assert not any(secret in title(one) for one in every)
    files = (path for path in (project / ".hallmark").rglob("*") if path.is_file())
    assert [path for path in files if holds(path, secret.encode())] == [access.secret_file(project)]
    access.secret_file(project).chmod(0o640)
    with pytest.raises(InputError, match="others can read"):
        access.secret(project)
    access.secret_file(project).chmod(0o600)


def test_a_server_that_was_started_with_another_secret_is_told(project: Path, up: Up) -> None:
    secret = access.secret(project)
    access.secret_file(project).write_text("another")
    told = tiny_project.hallmark(project, "run", "--as", "ml-engineer", code=3)
    access.secret_file(project).write_text(secret)
    assert "was started with another secret" in told and secret not in told and "another\n" not in told


def holds(path: Path, what: bytes) -> bool:
    with contextlib.suppress(FileNotFoundError):  # it goes while they are looked at
        return what in path.read_bytes()
    return False


def flow_run_processes(up: Up) -> list[psutil.Process]:
    found = psutil.Process(up.runner.pid).children(recursive=True)
    return [one for one in found if "resource_tracker" not in title(one)]


def wait(until, seconds: float = 300):  # type: ignore[no-untyped-def]
    deadline = time.monotonic() + seconds
    while not (found := until()):
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.3)
    return found


def state_of(client: SyncPrefectClient, flow_run: UUID) -> str:
    state = client.read_flow_run(flow_run).state
    return state.type.value if state else ""


@pytest.mark.attack(rights="orchestrator", stopped="the runner starts the flow that it has, and follows no deployment")
def test_what_a_deployment_says_of_its_code_is_not_followed(project: Path, up: Up, tmp_path: Path) -> None:
    """Steps before a run, another entrypoint, another folder: of a run that fails, and of one that crashes, whose hooks
    the runner looks for in its own process."""
    touched, other = tmp_path / "touched", tmp_path / "other.py"
    other.write_text(f"open({str(touched)!r}, 'w')")
    shell = {"prefect.deployments.steps.run_shell_script": {"script": f"touch {touched}"}}
    with prefect(project) as client:
        found = deployment(client, project)
        changed = {"pull_steps": [shell], "entrypoint": f"{other}:flow", "path": str(tmp_path)}
        client.request("PATCH", "/deployments/{id}", path_params={"id": found.id}, json=changed)
        pretended = {"request": {"requested_by": "ml-engineer", "run_id": "pretended"}}
        fails = ask_in_prefect(client, project, pretended).id
        wait(lambda: state_of(client, fails) == "FAILED")
        crashes = ask_in_prefect(client, project).id
        wait(lambda: state_of(client, crashes) == "RUNNING")
        for process in flow_run_processes(up):
            with contextlib.suppress(psutil.NoSuchProcess):
                process.kill()
        wait(lambda: state_of(client, crashes) == "CRASHED")
        time.sleep(3)  # its hooks
    assert not touched.exists()


class Planted:
    def __init__(self, path: Path) -> None:
        self.path = str(path)

    def __reduce__(self) -> tuple[object, ...]:
        return (os.mkdir, (self.path,))


def planted(path: Path) -> bytes:
    """A result as Prefect keeps one, which says that it is a pickle, and makes a folder when it is read."""
    text = base64.encodebytes(pickle.dumps(Planted(path))).decode()
    how = {"serializer": {"type": "pickle", "picklelib": "cloudpickle", "picklelib_version": None}}
    return json.dumps({"metadata": how, "result": text}).encode()


@pytest.mark.attack(rights="orchestrator", stopped="no result of a flow run is kept in Prefect or read from it")
def test_prefects_own_command_starts_a_run_that_reads_no_planted_result(project: Path, up: Up, tmp_path: Path) -> None:
    """`prefect deployment run`, without parameters; while the run is parked, results are planted for all its stages."""
    touched, before = tmp_path / "touched", {line["run"] for line in hallmark_json(project, "status")}
    own = {"PREFECT_API_URL": up.api, "PREFECT_API_AUTH_STRING": access.secret(project)}
    command = [Path(sys.executable).with_name("prefect"), "deployment", "run", deployed.full_name(project)]
    subprocess.run(command, env=os.environ | own, cwd=tmp_path, check=True, capture_output=True)

    def parked() -> list[dict[str, object]]:
        return [line for line in hallmark_json(project, "status") if line["run"] not in before and line["gates"]]

    (line,) = wait(parked)
    assert (line["requested_by"], line["status"]) == ("scheduler", "waiting"), line
    storage = access.folder(project) / "storage"
    for stage in DATA_STAGES:
        path = storage / str(line["flow_run"]) / stage
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(planted(touched))
    hallmark(project, "gates", "reject", str(line["run"]), "data", "--as", "data-owner", "--reason", "a drill")
    ended = wait(lambda: (now := hallmark_json(project, "status", str(line["run"])))["status"] == "failed" and now)
    assert "data-owner rejected: a drill" in ended["error"]
    assert {name: one["state"] for name, one in ended["stages"].items()} == dict.fromkeys(DATA_STAGES, "done"), (
        "what the flow run had finished it did not do again"
    )
    assert not touched.exists()
    shutil.rmtree(storage / str(line["flow_run"]))


def test_a_schedule_of_prefects_own_starts_a_run(project: Path, up: Up) -> None:
    """`prefect deployment schedule create … --cron` gives no parameters."""
    own = {"PREFECT_API_URL": up.api, "PREFECT_API_AUTH_STRING": access.secret(project)}
    before = {line["run"] for line in hallmark_json(project, "status")}
    words = ["deployment", "schedule", "create", deployed.full_name(project), "--cron", "* * * * *"]
    command = [str(Path(sys.executable).with_name("prefect")), *words]
    subprocess.run(command, env=os.environ | own, check=True, capture_output=True)

    def begun() -> list[dict[str, object]]:
        return [line for line in hallmark_json(project, "status") if line["run"] not in before and line["stages"]]

    try:
        line = wait(begun)[0]
    finally:
        with prefect(project) as client:
            found = deployment(client, project)
            for schedule in client.read_deployment_schedules(found.id):
                client.delete_deployment_schedule(found.id, schedule.id)
    assert line["requested_by"] == "scheduler" and line["status"] in ("running", "waiting")


def test_what_server_runner_and_runs_made_is_their_owners_alone(project: Path) -> None:
    assert open_to_others(project / ".hallmark") == []
