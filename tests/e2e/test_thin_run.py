"""The whole pipeline with real Prefect, DVC, Great Expectations, Ray, DeepSpeed and MLflow, on 60 rows."""

import fcntl
import shutil
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tasks.errors import Refused
from tasks.layout import Layout
from tasks.runs import dvc
from tests.tiny_project import git, hallmark, hallmark_json, make_project

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1500)]


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    folder = make_project(tmp_path_factory.mktemp("project"))
    hallmark(folder, "init")
    yield folder
    hallmark(folder, "down")


def wait_for(project: Path, run: str, *statuses: str, seconds: float = 600) -> dict:
    """Poll `hallmark status` until the run has one of the statuses."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        known = hallmark_json(project, "status", run)
        assert isinstance(known, dict)
        if known["status"] in statuses:
            return known
        time.sleep(1)
    raise AssertionError(f"run {run} is {known['status']}, not {statuses}, after {seconds} s: {known}")


def test_a_governed_run_waits_at_each_gate_and_ends_promoted(project: Path) -> None:
    branch, files = git(project, "rev-parse", "main"), git(project, "status", "--porcelain")
    parked = hallmark_json(project, "run", "--as", "ml-engineer")
    run = parked["run"]
    assert parked["status"] == "waiting"
    assert parked["gates"]["data"]["state"] == "waiting"
    assert "train" not in parked["stages"], "nothing behind the gate has run"
    time.sleep(5)  # the suspended process ends by itself
    assert not executed(project, run), "a parked run holds no process"

    told = hallmark(project, "gates", "approve", run, "data", "--as", "ml-engineer", code=1)
    assert "nobody decides on their own run" in told
    told = hallmark(project, "gates", "approve", run, "data", "--as", "risk-officer", code=1)
    assert "role" in told
    for gate, person in (("data", "data-owner"), ("evaluation", "product-owner"), ("release", "risk-officer")):
        wait_for(project, run, "waiting")
        assert [row["gate"] for row in hallmark_json(project, "gates", "list")] == [gate]
        hallmark(project, "gates", "approve", run, gate, "--as", person, "--reason", "looked at it")
        wait_for_gate(project, run, gate)
    ended = wait_for(project, run, "promoted", "failed")
    assert ended["status"] == "promoted", ended["error"]
    assert ended["gates"]["release"]["decided_by"] == ["risk-officer"]
    assert Path(ended["report"]).exists()

    assert (git(project, "rev-parse", "main"), git(project, "status", "--porcelain")) == (branch, files)
    committed = git(project, "ls-tree", "-r", "--name-only", ended["commit"]).splitlines()
    assert {"dvc.lock", "gates/data.json", "evidence/release.json", "inputs/sources.json"} <= set(committed)
    assert git(project, "rev-parse", f"refs/hallmark/runs/{run}") == ended["commit"]

    (release,) = hallmark_json(project, "releases", "list")
    assert "champion" in release["aliases"]
    assert "valid" in hallmark(project, "releases", "verify", release["bundle"])


def test_the_same_inputs_again_end_as_unchanged_from_the_cache(project: Path) -> None:
    again = hallmark_json(project, "run", "--as", "ml-engineer")
    assert again["status"] == "unchanged", again
    assert {line["state"] for line in again["stages"].values()} == {"cached"}
    assert again["gates"]["data"]["decided_by"] == ["data-owner"], "a data decision carries over to the same data"


def test_the_cache_of_another_clone_trains_nothing_without_the_gate(project: Path, tmp_path: Path) -> None:
    """Somebody has the commit and the whole cache of a promoted run, in which `train` finds its result, but no gate."""
    ended = hallmark_json(project, "status")[0]
    other = tmp_path / "other"
    git(tmp_path, "clone", "--quiet", str(project), str(other))
    git(other, "fetch", "--quiet", "origin", f"refs/hallmark/runs/{ended['run']}")
    git(other, "checkout", "--quiet", ended["commit"])
    shutil.copytree(project / ".hallmark" / "cache", other / ".hallmark" / "cache")
    dvc.configure(Layout(other))
    for stage in ("ingest", "clean", "deduplicate", "validate", "split", "base_model"):
        assert dvc.repro(Layout(other), stage, print).cached
    gate = other / "gates" / "data.json"
    kept = gate.read_bytes()
    gate.unlink()
    with pytest.raises(Refused, match=r"train needs gates/data\.json, and that gate has not passed"):
        dvc.repro(Layout(other), "train", print)
    assert not Layout(other).stage("train").exists()
    gate.write_bytes(kept)
    assert dvc.repro(Layout(other), "train", print).cached, "the result was in the cache all the time"


def test_a_run_whose_checks_fail_stops_with_an_account(project: Path) -> None:
    told = hallmark(project, "run", "--as", "ml-engineer", "--set", "data.train_rows=5", code=1)
    assert "check 'enough rows' failed (split.train_rows is 5, wanted at least 10)" in told
    assert len(hallmark_json(project, "releases", "list")) == 1


def test_demo_approvals_are_written_on_what_they_make(project: Path) -> None:
    ended = hallmark_json(project, "run", "--as", "ml-engineer", "--demo-approvals", "--set", "training.seed=2")
    assert ended["status"] == "promoted", ended["error"]
    assert ended["demo"] is True
    assert ended["gates"]["release"]["decided_by"] == ["demo-risk-officer"]
    releases = hallmark_json(project, "releases", "list")
    assert [release["demo"] for release in releases] == [False, True]
    hallmark(
        project, "releases", "rollback", f"{releases[0]['name']}-{releases[0]['version']}",
        "--as", "risk-officer", "--reason", "a demo may not stay",
    )  # fmt: skip
    releases = hallmark_json(project, "releases", "list")
    assert "champion" in releases[0]["aliases"] and "champion" not in releases[1]["aliases"]


def test_a_dirty_checkout_is_refused_with_the_remedy(project: Path) -> None:
    (project / "new.txt").write_text("x")
    told = hallmark(project, "run", "--as", "ml-engineer", code=2)
    (project / "new.txt").unlink()
    assert "new.txt" in told and "--demo-approvals" in told


def wait_for_gate(project: Path, run: str, gate: str) -> None:
    deadline = time.monotonic() + 300
    while time.monotonic() < deadline:
        if hallmark_json(project, "status", run)["gates"][gate]["state"] == "passed":
            return
        time.sleep(1)
    raise AssertionError(f"the {gate} gate of {run} was decided and the run did not go on")


def executed(project: Path, run: str) -> bool:
    """Whether a process holds the run, or is a stage in its worktree."""
    with (project / ".hallmark" / "runs" / f"{run}.lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
    listed = subprocess.run(["ps", "-eo", "args"], capture_output=True, text=True, check=True).stdout
    return f"runs/{run}" in listed
