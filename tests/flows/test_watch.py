"""Parked and orphaned runs go on: killed processes, a server that was away, decisions that land in between."""

import contextlib
import json
import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from tests.tiny_project import hallmark, hallmark_json, make_project

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1500)]


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    folder = make_project(tmp_path_factory.mktemp("project"))
    hallmark(folder, "init")
    yield folder
    hallmark(folder, "down")


def status(project: Path, run: str) -> dict:
    known = hallmark_json(project, "status", run)
    assert isinstance(known, dict)
    return known


def wait_until(project: Path, run: str, done, seconds: float = 600) -> dict:  # type: ignore[no-untyped-def]
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        with contextlib.suppress(AssertionError):  # no journal yet
            known = status(project, run)
            if done(known):
                return known
        time.sleep(0.3)
    raise AssertionError(f"run {run} did not get there in {seconds} s: {status(project, run)}")


def pids(project: Path) -> dict[str, int]:
    up = json.loads((project / ".hallmark" / "prefect" / "up.json").read_text())
    return {name: up[name]["pid"] for name in ("server", "runner")}


def kill_family(pid: int) -> None:
    family = [*psutil.Process(pid).children(recursive=True), psutil.Process(pid)]
    for process in family:
        with contextlib.suppress(psutil.NoSuchProcess):
            process.kill()


def test_a_runner_killed_with_its_run_goes_on_after_up(project: Path) -> None:
    started = hallmark_json(project, "run", "--as", "ml-engineer", "--detach")
    run = started["run"]
    wait_until(project, run, lambda known: known["stages"])
    kill_family(pids(project)["runner"])
    hallmark(project, "up")
    parked = wait_until(project, run, lambda known: known["status"] in ("waiting", "failed"))
    assert parked["status"] == "waiting", parked["error"]
    hallmark(project, "gates", "reject", run, "data", "--as", "data-owner", "--reason", "only a drill")
    ended = wait_until(project, run, lambda known: known["status"] == "failed")
    assert "data-owner rejected: only a drill" in ended["error"]


def test_a_decision_while_prefect_is_away_counts_when_it_is_back(project: Path) -> None:
    """Also the decision that lands just before a run parks: in both nobody resumes it but the runner's own look."""
    run = hallmark_json(project, "run", "--as", "ml-engineer", "--set", "data.seed=5")["run"]
    kill_family(pids(project)["runner"])
    kill_family(pids(project)["server"])
    told = hallmark(project, "gates", "approve", run, "data", "--as", "data-owner", "--reason", "fine")
    assert "the gate is passed" in told and "hallmark up" in told
    hallmark(project, "up")
    wait_until(project, run, lambda known: known["gates"]["data"]["state"] == "passed")
    hallmark(project, "down")  # in the middle of training
    assert status(project, run)["status"] == "running"
    hallmark(project, "up")
    parked = wait_until(project, run, lambda known: known["status"] in ("waiting", "failed"))
    assert parked["gates"]["evaluation"]["state"] == "waiting", parked["error"]


def test_two_runs_at_once_do_not_disturb_each_other(project: Path) -> None:
    runs = [
        hallmark_json(project, "run", "--as", "ml-engineer", "--detach", "--set", f"data.seed={seed}")["run"]
        for seed in (11, 12)
    ]
    parked = [wait_until(project, run, lambda known: known["status"] in ("waiting", "failed")) for run in runs]
    assert [known["status"] for known in parked] == ["waiting", "waiting"], parked
    evidence = [hallmark_json(project, "gates", "show", run, "data")["evidence"] for run in runs]
    assert evidence[0]["subject"]["sha256"] != evidence[1]["subject"]["sha256"]


def test_resuming_a_parked_run_by_hand_opens_no_gate(project: Path) -> None:
    """Whoever resumes the flow run past the console: the gate is judged from the ledger, and the run parks again."""
    run = hallmark_json(project, "run", "--as", "ml-engineer", "--set", "data.seed=21")["run"]
    from infra.prefect import client, server

    up = server.find(project)
    assert up is not None
    environment = dict(os.environ)
    try:
        with client.connected(project, up) as prefect:
            flow_run = status(project, run)["flow_run"]
            prefect.resume_flow_run(flow_run)
            deadline = time.monotonic() + 300
            resumed = False
            while time.monotonic() < deadline:
                state = prefect.read_flow_run(flow_run).state
                resumed = resumed or not state.is_paused()
                if resumed and state.is_paused():
                    break
                time.sleep(0.2)
    finally:
        os.environ.clear()
        os.environ.update(environment)
    assert resumed and state.is_paused()
    known = status(project, run)
    assert known["gates"]["data"]["state"] == "waiting" and "train" not in known["stages"]


def test_an_interrupted_command_leaves_its_run_going(project: Path) -> None:
    import subprocess
    import sys

    command = [Path(sys.executable).with_name("hallmark"), "run", "--as", "ml-engineer", "--set", "data.seed=31"]
    process = subprocess.Popen(command, cwd=project, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert process.stdout is not None
    run = process.stdout.readline().split()[1].rstrip(",")
    process.stdout.readline()
    process.send_signal(signal.SIGINT)
    _, told = process.communicate(timeout=30)
    assert process.returncode == 130 and f"run {run} goes on without this command" in told
    assert wait_until(project, run, lambda known: known["status"] == "waiting")
