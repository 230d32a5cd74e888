"""Parked and orphaned runs go on: killed processes, a server that was away, decisions that land in between."""

import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from uuid import UUID

import psutil
import pytest
from prefect.client.schemas.objects import State, StateType
from prefect.states import Completed, Paused, Running

from flows import lifecycle, parked
from tasks.core.graph import GATES
from tasks.runs.hold import only_one
from tasks.runs.request import RunRequest
from tests import in_process
from tests.checkouts import Checkouts
from tests.in_process import adopt
from tests.prefect_client import ask_in_prefect, prefect
from tests.processes import title
from tests.run_states import status, wait_for, wait_until
from tests.tiny_project import git, hallmark, hallmark_json, signed

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1500)]


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory, checkouts: Checkouts) -> Iterator[Path]:
    folder = checkouts.warm(tmp_path_factory.mktemp("project"))
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PATH", f"{git_that_waits(folder)}{os.pathsep}{os.environ['PATH']}")
        yield folder
        hallmark(folder, "down")


def late(project: Path) -> Path:
    """While it is there, somebody rejects the data gate of the next run after its last judgement, before it parks."""
    return project.with_name("late")


GIT = """#!/bin/sh
case "$*" in *"Ask at the data gate"*)
  if [ -e "{late}" ]; then
    rm "{late}"
    run="${{PWD##*/}}"
    HALLMARK_ROOT="{project}" "{hallmark}" gates reject "$run" data --as data-owner --reason "just in time" || exit
  fi
esac
exec "{git}" "$@"
"""
"""A run commits what it has between its last judgement and its suspension."""


def git_that_waits(project: Path) -> Path:
    """A folder with a git that lets somebody decide first, where `late` says so."""
    folder, real = project.with_name("bin"), shutil.which("git")
    folder.mkdir()
    script = folder / "git"
    script.write_text(
        GIT.format(late=late(project), project=project, hallmark=Path(sys.executable).with_name("hallmark"), git=real)
    )
    script.chmod(0o755)
    return folder


def pids(project: Path) -> dict[str, int]:
    up = json.loads((project / ".hallmark" / "prefect" / "up.json").read_text())
    return {name: up[name]["pid"] for name in ("server", "runner")}


def kill_family(pid: int) -> None:
    kill_children(pid)
    psutil.Process(pid).kill()


def kill_children(pid: int) -> None:
    for process in psutil.Process(pid).children(recursive=True):
        with contextlib.suppress(psutil.NoSuchProcess):
            process.kill()


def executing(project: Path) -> list[psutil.Process]:
    """Processes of flow runs, and what they have started."""
    found = psutil.Process(pids(project)["runner"]).children(recursive=True)
    return [one for one in found if "resource_tracker" not in title(one)]


def begin(project: Path, *args: str) -> tuple["subprocess.Popen[str]", str]:
    """`hallmark run` in the background once it has said where to look, and the run's id."""
    command = [Path(sys.executable).with_name("hallmark"), "run", "--as", "ml-engineer", *args]
    process = subprocess.Popen(command, cwd=project, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert process.stdout is not None
    run = next(line for line in process.stdout if line.startswith("run ")).split()[1].rstrip(",")
    assert "in Prefect" in process.stdout.readline()
    return process, run


def test_a_run_that_nobody_named_wakes_up_as_itself_and_ends_where_policy_changed(project: Path) -> None:
    hallmark(project, "up")
    with prefect(project) as client:
        flow_run = ask_in_prefect(client, project)
        run = lifecycle.run_id(client.read_flow_run(flow_run.id))
        wait_for(project, run, "waiting")
        policy = project / "infra" / "governance" / "policy.yaml"
        before = policy.read_text()
        policy.write_text(before.replace("at_least: 10", "at_least: 11"))
        adopt(project)
        try:
            ended = wait_for(project, run, "failed", seconds=120)
        finally:
            policy.write_text(before)
            adopt(project)
        assert f"policy changed since run {run} was resolved" in ended["error"]
        assert ended["gates"]["data"]["state"] == "void" and ended["exit_code"] == 1
        known = in_process.hallmark_json(project, "status")
        assert [line["run"] for line in known] == [run], "it did not become another run"
        assert client.read_flow_run(flow_run.id).name == run
    assert ended["requested_by"] == "scheduler"


def test_prefect_takes_no_run_in_the_name_of_a_person(project: Path) -> None:
    """A schedule that pretends to be a person, and a person's request with other parameters than they signed."""
    asked, envelope = signed(project, RunRequest(run_id="tampered", requested_by="ml-engineer"))
    tampered = asked.model_dump(mode="json") | {"changes": {"data.seed": "7"}}
    hallmark(project, "up")
    with prefect(project) as client:
        for request, given, why in (
            ({"requested_by": "ml-engineer", "run_id": "pretended"}, None, "no request that they signed is with it"),
            (tampered, envelope, "is asked for with other changes than ml-engineer signed"),
        ):
            flow_run = ask_in_prefect(client, project, {"request": request, "envelope": given})
            ended = wait_for(project, request["run_id"], "failed", seconds=120)
            assert why in ended["error"] and ended["exit_code"] == 1 and not ended["stages"]
            assert not (project / ".hallmark" / "runs" / request["run_id"]).exists()
            client.delete_flow_run(flow_run.id)
            (project / ".hallmark" / "runs" / f"{request['run_id']}.json").unlink()


def test_every_page_of_flow_runs_is_looked_at(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parked, "PAGE", 2)
    with prefect(project) as client:
        made = {ask_in_prefect(client, project, state=Paused()).id for _ in range(5)}
        found = [flow_run.id for flow_run in parked.in_state(project, client, StateType.PAUSED)]
        for flow_run in made:
            client.delete_flow_run(flow_run)
    assert made <= set(found) and len(found) == len(set(found))


def test_demo_approvals_are_written_on_what_they_make(project: Path) -> None:
    (project / "notes.txt").write_text("not committed")  # said on stderr; the document has stdout to itself
    other = ("--set", "use_case.problem=Decided by demo identities.")  # nothing that others decide carries over
    ended = hallmark_json(project, "run", "--as", "ml-engineer", "--demo-approvals", *other)
    (project / "notes.txt").unlink()
    assert ended["status"] == "promoted", ended["error"]
    assert ended["demo"] is True
    assert git(project, "show", f"{ended['commit']}:notes.txt") == "not committed"
    assert "gain_over_base" in ended["metrics"]
    assert {gate: line["state"] for gate, line in ended["gates"].items()} == dict.fromkeys(GATES, "passed")
    assert ended["gates"]["release"]["decided_by"] == ["demo-risk-officer"]
    (release,) = in_process.hallmark_json(project, "releases", "list")
    assert release["demo"] is True and "champion" in release["aliases"]


def test_a_decision_while_prefect_is_away_counts_when_it_is_back(project: Path) -> None:
    other = ("--set", "use_case.problem=Decided while Prefect is away.", "--set", "training.seed=5")
    run = hallmark_json(project, "run", "--as", "ml-engineer", *other)["run"]
    kill_family(pids(project)["runner"])
    kill_family(pids(project)["server"])
    told = hallmark(project, "gates", "approve", run, "data", "--as", "data-owner", "--reason", "fine")
    assert "the gate is passed" in told and "hallmark up" in told
    hallmark(project, "up")
    known = wait_until(project, run, lambda known: known["stages"].get("train"))
    assert known["gates"]["data"]["state"] == "passed"
    told = hallmark(project, "down")
    assert f"run {run} goes on with the next `hallmark up`" in told
    left = status(project, run)
    assert (left["status"], left["stages"]["train"]["state"]) == ("interrupted", "interrupted")
    hallmark(project, "up")
    parked = wait_for(project, run, "waiting", "failed")
    assert parked["gates"]["evaluation"]["state"] == "waiting", parked["error"]


def test_a_flow_run_that_dies_alone_is_told_and_goes_on(project: Path) -> None:
    """Its runner lives, so nothing takes it up by itself: the next runner does, and so does --resume."""
    process, run = begin(project, "--set", "data.seed=41")
    flow_run = wait_until(project, run, lambda known: known["stages"])["flow_run"]
    kill_children(pids(project)["runner"])
    _, told = process.communicate(timeout=120)
    assert process.returncode == 3 and f"go on: hallmark run --resume {run}" in told, told
    assert status(project, run)["status"] == "interrupted"
    hallmark(project, "down")
    hallmark(project, "up")
    # The runner holds a run for a moment as well, before it has a process for it.
    wait_until(project, run, lambda known: known["status"] == "running" and executing(project), seconds=120)
    kill_children(pids(project)["runner"])
    wait_for(project, run, "interrupted", seconds=120)
    deadline = time.monotonic() + 120
    with prefect(project) as client:
        while client.read_flow_run(UUID(flow_run)).state.type != StateType.CRASHED:
            assert time.monotonic() < deadline, "the runner reported no crash"
            time.sleep(0.5)
    parked = hallmark_json(project, "run", "--resume", run)
    assert (parked["status"], parked["flow_run"]) == ("waiting", flow_run)


def test_a_decision_between_the_last_judgement_and_the_suspension_is_not_missed(project: Path) -> None:
    late(project).touch()
    run = hallmark_json(project, "run", "--as", "ml-engineer", "--detach")["run"]
    ended = wait_for(project, run, "failed")
    assert not late(project).exists()
    assert "data-owner rejected: just in time" in ended["error"]
    with prefect(project) as client:
        states = [state.type for state in client.read_flow_run_states(UUID(ended["flow_run"]))]
    assert StateType.PAUSED in states, "it was parked, and the runner woke it up"


def test_a_runner_killed_with_its_run_goes_on_after_up(project: Path) -> None:
    started = hallmark_json(project, "run", "--as", "ml-engineer", "--detach")
    run = started["run"]
    wait_until(project, run, lambda known: known["stages"])
    kill_family(pids(project)["runner"])
    hallmark(project, "up")
    parked = wait_for(project, run, "waiting", "failed")
    assert parked["status"] == "waiting", parked["error"]
    in_process.hallmark(project, "gates", "reject", run, "data", "--as", "data-owner", "--reason", "only a drill")
    ended = wait_for(project, run, "failed")
    assert "data-owner rejected: only a drill" in ended["error"]


def test_two_runs_at_once_do_not_disturb_each_other(project: Path) -> None:
    runs = [
        hallmark_json(project, "run", "--as", "ml-engineer", "--detach", "--set", f"data.seed={seed}")["run"]
        for seed in (11, 12)
    ]
    parked = [wait_for(project, run, "waiting", "failed") for run in runs]
    assert [known["status"] for known in parked] == ["waiting", "waiting"], parked
    evidence = [in_process.hallmark_json(project, "gates", "show", run, "data")["evidence"] for run in runs]
    assert evidence[0]["subject"]["sha256"] != evidence[1]["subject"]["sha256"]


@pytest.fixture(scope="module")
def waiting(project: Path) -> dict:
    """A run at its data gate, on which nobody decides."""
    known = hallmark_json(project, "run", "--as", "ml-engineer")
    assert isinstance(known, dict)
    return known


@pytest.mark.attack(rights="orchestrator", stopped="the gate is judged from the ledger, not from Prefect")
def test_resuming_a_parked_run_by_hand_opens_no_gate(project: Path, waiting: dict) -> None:
    """Whoever resumes the flow run past the console: the gate is judged from the ledger, and the run parks again."""
    run, flow_run = waiting["run"], UUID(waiting["flow_run"])
    with prefect(project) as client:
        client.resume_flow_run(flow_run)
        deadline = time.monotonic() + 300
        resumed = False
        while time.monotonic() < deadline:
            state = client.read_flow_run(flow_run).state
            resumed = resumed or not state.is_paused()
            if resumed and state.is_paused():
                break
            time.sleep(0.2)
    assert resumed and state.is_paused()
    known = status(project, run)
    assert known["gates"]["data"]["state"] == "waiting" and "train" not in known["stages"]


@pytest.mark.attack(rights="orchestrator", stopped="the gate is judged from the ledger, not from Prefect's state")
@pytest.mark.parametrize("state", [Completed, Running], ids=["Completed", "Running"])
def test_a_state_set_by_hand_opens_no_gate(project: Path, waiting: dict, state: Callable[[], State]) -> None:
    run, flow_run = waiting["run"], UUID(waiting["flow_run"])
    with prefect(project) as client:
        client.set_flow_run_state(flow_run, state(), force=True)
        assert client.read_flow_run(flow_run).state.type == state().type
    in_process.hallmark(project, "gates", "list")
    known = status(project, run)
    assert known["gates"]["data"]["state"] == "waiting" and "train" not in known["stages"]
    assert not (project / ".hallmark" / "runs" / run / "gates" / "data.json").exists()
    assert run not in [line["run"] for line in in_process.hallmark_json(project, "releases", "list")]


def test_a_second_flow_run_of_a_run_in_progress_is_refused_and_changes_nothing(project: Path) -> None:
    known = in_process.hallmark_json(project, "status")[-1]
    with only_one(project / ".hallmark", known["run"]), prefect(project) as client:
        flow_run = ask_in_prefect(client, project, {"request": {"requested_by": "ml-engineer", "run_id": known["run"]}})
        deadline = time.monotonic() + 120
        while not (state := client.read_flow_run(flow_run.id).state).is_final() and time.monotonic() < deadline:
            time.sleep(0.5)
    assert state.type == StateType.FAILED and f"Refused: run {known['run']} is being executed" in state.message
    assert in_process.hallmark_json(project, "status")[-1] == known


def test_an_interrupted_command_leaves_its_run_going(project: Path) -> None:
    process, run = begin(project)
    process.send_signal(signal.SIGINT)
    _, told = process.communicate(timeout=120)
    assert process.returncode == 130 and f"run {run} goes on without this command" in told
    assert wait_for(project, run, "waiting")
