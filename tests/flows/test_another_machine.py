"""A run that is parked on one machine is decided and goes on on another, as the guide of the platform engineer says."""

import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tasks.ledger.ledger import open_ledger
from tasks.runs.taking_up import TAKEN_UP
from tests.governed.postgres import cluster
from tests.tiny_project import git, hallmark, hallmark_json, make_project

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1500)]


@pytest.fixture
def machines(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[Path, Path]]:
    """Two clones with the same keys, ledger and remotes."""
    with cluster() as database:
        monkeypatch.setenv("HALLMARK_LEDGER_URL", database.url)
        monkeypatch.setenv("HALLMARK_GIT_REMOTE", str(tmp_path / "git"))
        monkeypatch.setenv("HALLMARK_PREFECT_PORT", "0")
        first, second = make_project(tmp_path / "first"), tmp_path / "second"
        hallmark(first, "init")
        git(tmp_path, "init", "--quiet", "--bare", "git")
        git(tmp_path, "clone", "--quiet", str(first), str(second))
        shutil.copytree(first / ".hallmark" / "keys", second / ".hallmark" / "keys")
        for folder in (first, second):
            command = [sys.executable, "-m", "dvc", "remote", "add", "--local", "--default", "store"]
            subprocess.run([*command, str(tmp_path / "store")], cwd=folder, check=True, capture_output=True)
        yield first, second
        for folder in (first, second):
            hallmark(folder, "down")


def wait(until: Callable[[], object], seconds: float = 600) -> None:
    deadline = time.monotonic() + seconds
    while not until():
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(3)


def test_a_parked_run_goes_on_elsewhere(machines: tuple[Path, Path]) -> None:
    first, second = machines
    parked = hallmark_json(first, "run", "--as", "ml-engineer")
    run = parked["run"]
    assert parked["status"] == "waiting", parked["error"]
    hallmark(first, "down")
    # In environment local it is decided where it is; nobody is there to let it go on.
    hallmark(first, "gates", "approve", run, "data", "--as", "data-owner", "--reason", "seen")
    told = hallmark(second, "run", "--resume", run)
    assert f"run {run} was fetched, with its outputs" in told
    known = hallmark_json(second, "status", run)
    assert known["gates"]["data"]["decided_by"] == ["data-owner"]
    assert known["gates"]["evaluation"]["state"] == "waiting"
    assert {known["stages"][name]["state"] for name in ("clean", "deduplicate", "validate", "split")} == {"cached"}
    assert len(open_ledger(second / ".hallmark").entries(TAKEN_UP, run)) == 1
    hallmark(second, "down")

    hallmark(first, "up")  # its flow run wakes up, since the gate is closed
    wait(lambda: hallmark_json(first, "status", run)["status"] == "failed")
    assert f"run {run} was taken up on another machine" in hallmark_json(first, "status", run)["error"]
    assert not open_ledger(first / ".hallmark").entries("run.ended", run)
