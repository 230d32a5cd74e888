"""Runs whose processes are killed, a server that is away, and a second checkout on it: the story of three runs.

Each fixture is a step of the story, and takes it on from the step before; the tests look at what a step left. A flow
run that nothing is killed of: test_retrain.py.
"""

import contextlib
import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple
from uuid import UUID

import psutil
import pytest
from prefect.client.schemas.objects import StateType

from flows.lifecycle import run_id_of_flow_run
from flows.suspended_runs import flow_runs_in_state
from infra.prefect import access, client, logs, server
from infra.prefect.server import RunningPrefect
from infra.processes import end_process
from tasks.core.errors import Unavailable
from tasks.ledger.ledger import open_ledger
from tasks.runs import run_entries
from tests.checkouts import Checkouts
from tests.in_process import hallmark, hallmark_json
from tests.patience import patience, wait_until
from tests.prefect_client import prefect
from tests.run_states import status, wait_for
from tests.run_states import wait_until as wait_until_run

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1500)]


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory, checkouts: Checkouts) -> Iterator[Path]:
    """A project with the Prefect server that both checkouts use."""
    folder = checkouts.warm(tmp_path_factory.mktemp("project"))
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("HALLMARK_PREFECT_PORT", "0")
        yield folder
        server.stop(folder)


def begin(project: Path, *args: str) -> tuple["subprocess.Popen[str]", str]:
    """`hallmark run` in the background once it has said where to look, and the run's id."""
    command = [Path(sys.executable).with_name("hallmark"), "run", "--as", "ml-engineer", *args]
    process = subprocess.Popen(command, cwd=project, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert process.stdout is not None
    run = next(line for line in process.stdout if line.startswith("run ")).split()[1].rstrip(",")
    assert "in Prefect" in process.stdout.readline()
    return process, run


class Command(NamedTuple):
    """A `hallmark run` that has ended: its run, its exit code, and what it said on stderr."""

    run: str
    code: int
    told: str


def ended(process: "subprocess.Popen[str]", run: str) -> Command:
    _, told = process.communicate(timeout=patience(120))
    return Command(run, process.returncode, told)


def executing(project: Path, run: str) -> psutil.Process | None:
    """The runner's process for a flow run, which holds the run."""
    up = server.find(project)
    assert up is not None
    lock = str(project / ".hallmark" / "runs" / f"{run}.lock")
    for process in psutil.Process(up.runner.pid).children():
        with contextlib.suppress(psutil.Error):
            if lock in [file.path for file in process.open_files()]:
                return process
    return None


def in_a_stage(project: Path, run: str, *stages: str) -> None:
    """Wait until a stage of the run, one of these if some are named, is at work."""

    def looks(known: dict) -> bool:  # type: ignore[type-arg]
        working = {name for name, line in known["stages"].items() if line["state"] == "running"}
        return bool(working & set(stages or working)) and executing(project, run) is not None

    wait_until_run(project, run, looks)


def kill_family(process: psutil.Process) -> None:
    for each in (*process.children(recursive=True), process):
        with contextlib.suppress(psutil.NoSuchProcess):
            each.kill()


@pytest.fixture(scope="module")
def interrupted(project: Path) -> Command:
    """A command is interrupted that has started everything and follows the first run. The run parks."""
    process, run = begin(project, "--set", "training.seed=5")
    process.send_signal(signal.SIGINT)
    command = ended(process, run)
    wait_for(project, run, "waiting", "failed")
    return command


def test_an_interrupted_command_leaves_its_run_going(project: Path, interrupted: Command) -> None:
    assert interrupted.code == 130 and f"run {interrupted.run} goes on without this command" in interrupted.told
    assert status(project, interrupted.run)["status"] == "waiting"


@pytest.fixture(scope="module")
def died(project: Path, interrupted: Command) -> tuple[Command, UUID]:
    """The process of a second run's flow run is killed, with its stage. A command follows it, and no watch runs."""
    process, run = begin(project, "--set", "data.seed=41")
    up = server.find(project)
    assert up is not None and up.watch is not None
    # So that the runner starts no other one, which would take the run up by itself: `away` begins with that.
    server._write_state(project, up.model_copy(update={"watch": None}))
    end_process(up.watch)
    in_a_stage(project, run)
    holder = executing(project, run)
    assert holder is not None
    flow_run = UUID(status(project, run)["flow_run"])
    kill_family(holder)
    return ended(process, run), flow_run


def test_a_flow_run_that_dies_alone_is_told(project: Path, died: tuple[Command, UUID]) -> None:
    command, flow_run = died
    assert command.code == 3 and f"go on: hallmark run --resume {command.run}" in command.told, command.told
    assert status(project, command.run)["status"] == "interrupted"
    with prefect(project) as asked:
        wait_until(lambda: asked.read_flow_run(flow_run).state.type == StateType.CRASHED, "the runner to report it")  # type: ignore[union-attr]


@pytest.fixture(scope="module")
def guest(
    tmp_path_factory: pytest.TempPathFactory, project: Path, interrupted: Command, checkouts: Checkouts
) -> Iterator[Path]:
    """Another checkout uses the server, and runs something there until it parks."""
    folder, up = checkouts.warm(tmp_path_factory.mktemp("guest")), server.find(project)
    assert up is not None
    with pytest.MonkeyPatch.context() as theirs:
        theirs.setenv("PREFECT_API_URL", up.api)
        theirs.setenv("PREFECT_API_AUTH_STRING", access.server_secret(project))
        told = hallmark(folder, "run", "--as", "ml-engineer")
    assert "secret" not in told, "that server's pages are somebody else's"
    yield folder
    server.stop(folder)


def test_each_takes_its_own_runs(project: Path, interrupted: Command, guest: Path) -> None:
    (theirs,) = hallmark_json(guest, "status")
    assert theirs["status"] == "waiting", theirs
    assert theirs["run"] not in [line["run"] for line in hallmark_json(project, "status")]
    with prefect(project) as asked:
        for root, run in ((project, interrupted.run), (guest, theirs["run"])):
            assert [run_id_of_flow_run(one) for one in flow_runs_in_state(root, asked, StateType.PAUSED)] == [run]
    ledger = open_ledger(project / ".hallmark")
    said = [line.text for line in logs.read_log_lines(project, ledger, interrupted.run, [])]
    assert "Beginning flow run" in said[0] and any("stage ingest" in text for text in said), said
    assert logs.read_log_lines(project, ledger, theirs["run"], []) == [], "another's lines, on the same server"


def test_a_guest_is_told_of_a_wrong_secret_and_keeps_none(
    project: Path, interrupted: Command, guest: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    up, secret = server.find(guest), access.server_secret(project).encode()
    assert up is not None and up.server is None
    assert not [path for path in (guest / ".hallmark").rglob("*") if path.is_file() and secret in path.read_bytes()]
    assert json.loads((access.prefect_folder(guest) / "up.json").read_text())["server"] is None
    monkeypatch.setattr(os, "environ", os.environ | {"PREFECT_API_AUTH_STRING": "not the owner's"})
    with pytest.raises(Unavailable, match="wants another PREFECT_API_AUTH_STRING"):
        client.state_of(guest, up, status(project, interrupted.run)["flow_run"])


class Away(NamedTuple):
    resumed: str
    """The flow run in which the second run was taken up again."""
    decision: str
    """What whoever decided on the first run was told."""
    down: str
    second: dict  # type: ignore[type-arg]
    """Status of the second run, read after `hallmark down`."""


@pytest.fixture(scope="module")
def away(project: Path, interrupted: Command, died: tuple[Command, UUID], guest: Path) -> Away:
    """The second run is taken up; the server is killed; somebody decides on the first run; `hallmark down`, and up.

    Then the process of the second run is killed once more, and the watch is there.
    """
    server.stop(guest)
    first, second = interrupted.run, died[0].run
    resumed = hallmark_json(project, "run", "--resume", second, "--detach")["flow_run"]
    in_a_stage(project, second)
    up = server.find(project)
    assert up is not None and up.server is not None
    kill_family(psutil.Process(up.server.pid))
    decision = hallmark(project, "gates", "approve", first, "data", "--as", "data-owner", "--reason", "fine")
    down = hallmark(project, "down")
    found = Away(resumed, decision, down, status(project, second))
    server.start(project, print)
    in_a_stage(project, second)
    holder = executing(project, second)
    assert holder is not None
    kill_family(holder)
    return found


@pytest.fixture(scope="module")
def stopped(project: Path, interrupted: Command, away: Away) -> tuple[RunningPrefect, str]:
    """The first run goes on, and is stopped in a stage behind its gate."""
    in_a_stage(project, interrupted.run, "tokenise", "train")
    up = server.find(project)
    assert up is not None
    return up, hallmark(project, "runs", "stop", interrupted.run)


def test_a_decision_while_prefect_is_away_counts_when_it_is_back(
    project: Path, interrupted: Command, away: Away, stopped: tuple[RunningPrefect, str]
) -> None:
    assert "the gate is passed" in away.decision and "hallmark up" in away.decision
    known = status(project, interrupted.run)
    assert (known["gates"]["data"]["state"], known["gates"]["data"]["decided_by"]) == ("passed", ["data-owner"])


def test_a_run_that_is_stopped_ends_with_all_its_processes(
    project: Path, interrupted: Command, stopped: tuple[RunningPrefect, str]
) -> None:
    run = interrupted.run
    assert f"hallmark run --resume {run}" in stopped[1]
    assert status(project, run)["status"] == "interrupted"

    def left() -> list[psutil.Process]:
        return [each for each in psutil.process_iter(["cmdline"]) if run in " ".join(each.info["cmdline"] or [])]

    wait_until(lambda: not left(), "every process of the run to end", saw=left)
    assert "there is nothing to stop" in hallmark(project, "runs", "stop", run, code=2)


def test_a_run_that_died_goes_on_when_it_is_taken_up_and_with_the_next_runner(
    project: Path, died: tuple[Command, UUID], away: Away
) -> None:
    command, flow_run = died
    assert away.resumed == str(flow_run)
    assert f"run {command.run} goes on with the next `hallmark up`" in away.down
    assert (away.second["status"], away.second["flow_run"]) == ("interrupted", str(flow_run))
    assert "interrupted" in {line["state"] for line in away.second["stages"].values()}
    ledger = open_ledger(project / ".hallmark")
    wait_until(lambda: bool(ledger.entries(run_entries.INTERRUPTED_KIND, command.run)), "the watch to see that it died")
    wait_until_run(project, command.run, lambda known: known["status"] in ("running", "waiting"))
    (entry,) = ledger.entries(run_entries.INTERRUPTED_KIND, command.run)
    assert entry.body == {"crashes": 2, "goes_on": True}
    known = wait_for(project, command.run, "waiting", "failed")
    assert (known["status"], known["flow_run"]) == ("waiting", str(flow_run)), known["error"]


def test_two_runs_at_once_do_not_disturb_each_other(
    project: Path, interrupted: Command, died: tuple[Command, UUID], away: Away
) -> None:
    """Both went on at once when Prefect was back."""
    second = wait_for(project, died[0].run, "waiting", "failed")
    assert second["status"] == "waiting", second["error"]
    evidence = [
        hallmark_json(project, "gates", "show", run, "data")["evidence"] for run in (interrupted.run, died[0].run)
    ]
    assert evidence[0]["subject"]["sha256"] != evidence[1]["subject"]["sha256"]
