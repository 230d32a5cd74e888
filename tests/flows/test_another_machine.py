"""A run that is parked on one machine is decided and goes on on another, as the guide of the platform engineer says."""

import re
import shutil
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

import pytest

from tasks.gates import cases
from tasks.ledger.ledger import open_ledger
from tasks.runs.taking_up import TAKEN_UP
from tests.checkouts import Checkouts
from tests.governed.postgres import cluster
from tests.run_states import status, wait_for
from tests.tiny_project import dvc_remote, git, hallmark, hallmark_json

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1500)]


@pytest.fixture
def machines(tmp_path: Path, checkouts: Checkouts, monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[Path, Path]]:
    """Two clones with the same keys, ledger and remotes."""
    with cluster() as database:
        monkeypatch.setenv("HALLMARK_LEDGER_URL", database.url)
        monkeypatch.setenv("HALLMARK_GIT_REMOTE", str(tmp_path / "git"))
        monkeypatch.setenv("HALLMARK_PREFECT_PORT", "0")
        first, second = checkouts.warm(tmp_path / "first", ledger=False), tmp_path / "second"
        hallmark(first, "init")
        git(tmp_path, "init", "--quiet", "--bare", "git")
        git(tmp_path, "clone", "--quiet", str(first), str(second))
        shutil.copytree(first / ".hallmark" / "keys", second / ".hallmark" / "keys")
        for folder in (first, second):
            dvc_remote(folder, tmp_path / "store")
        yield first, second
        for folder in (first, second):
            hallmark(folder, "down")


def knows_what_was_not_pushed(first: Path, second: Path) -> None:
    """What stands behind the gate need not be computed once more. What the run has made so far comes by the remote."""
    cache, pushed = second / ".hallmark" / "cache", second.with_name("store") / "files"
    shutil.copytree(first / ".hallmark" / "cache", cache)
    there = [path.relative_to(pushed.parent) for path in pushed.rglob("*") if path.is_file()]
    assert there
    for name in there:
        (cache / name).unlink()


def went_on(root: Path, run: str) -> datetime:
    """When the gate that it had parked at closed, once it had been taken up."""
    ledger = open_ledger(root / ".hallmark")
    (taken,) = ledger.entries(TAKEN_UP, run)
    return next(entry.time for entry in ledger.entries(cases.CLOSED, run) if entry.seq > taken.seq)


def test_a_parked_run_goes_on_elsewhere(machines: tuple[Path, Path]) -> None:
    """The first machine's folder is out of reach meanwhile."""
    first, second = machines
    parked = hallmark_json(first, "run", "--as", "ml-engineer")
    run = parked["run"]
    assert parked["status"] == "waiting", parked["error"]
    hallmark(first, "down")
    knows_what_was_not_pushed(first, second)
    # In environment local it is decided where it is; nobody is there to let it go on.
    hallmark(first, "gates", "approve", run, "data", "--as", "data-owner", "--reason", "seen")
    away = first.rename(first.with_name("away"))
    began = open_ledger(second / ".hallmark").now()
    told = hallmark(second, "run", "--resume", run)
    fetched = re.search(rf"run {run} was fetched, with its outputs: (.*) s of download", told)
    assert fetched, told
    beyond = (went_on(second, run) - began).total_seconds() - float(fetched[1])
    print(f"{fetched[0]}; it went on {beyond:.1f} s beyond the download")
    assert beyond < 600, "30 s on a machine that has nothing else to do"
    known = status(second, run)
    assert known["gates"]["data"]["decided_by"] == ["data-owner"]
    assert known["gates"]["evaluation"]["state"] == "waiting"
    assert {known["stages"][name]["state"] for name in ("clean", "deduplicate", "validate", "split")} == {"cached"}
    assert len(open_ledger(second / ".hallmark").entries(TAKEN_UP, run)) == 1
    hallmark(second, "down")

    away.rename(first)
    hallmark(first, "up")  # its flow run wakes up, since the gate is closed
    assert f"run {run} was taken up on another machine" in wait_for(first, run, "failed")["error"]
    assert not open_ledger(first / ".hallmark").entries("run.ended", run)
