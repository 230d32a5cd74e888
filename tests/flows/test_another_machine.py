"""A run that is parked on one machine is decided and goes on on another, as the guide of the platform engineer says."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from flows.suspended_runs import SuspendedRuns
from tasks.core.graph import DATA_STAGE_NAMES
from tasks.gates import cases
from tasks.ledger.ledger import open_ledger
from tasks.runs.takeover import TAKEOVER_KIND
from tests.checkouts import Checkouts
from tests.governed.postgres import new_database
from tests.in_process import hallmark
from tests.prefect_server import Flows, Server
from tests.run_states import status
from tests.tiny_project import dvc_remote, git

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]


@pytest.fixture
def machines(
    tmp_path: Path, checkouts: Checkouts, postgres: str, prefect_server: Server, monkeypatch: pytest.MonkeyPatch
) -> Iterator[tuple[Flows, Flows]]:
    """Two clones with the same keys, ledger and remotes; each executes its own flow runs."""
    with prefect_server.used(), prefect_server.client() as client:
        monkeypatch.setenv("HALLMARK_LEDGER_URL", new_database(postgres))
        monkeypatch.setenv("HALLMARK_GIT_REMOTE", str(tmp_path / "git"))
        first, second = checkouts.warm(tmp_path / "first", ledger=False), tmp_path / "second"
        hallmark(first, "init")
        git(tmp_path, "init", "--quiet", "--bare", "git")
        git(tmp_path, "clone", "--quiet", str(first), str(second))
        shutil.copytree(first / ".hallmark" / "keys", second / ".hallmark" / "keys")
        for folder in (first, second):
            dvc_remote(folder, tmp_path / "store")
        yield Flows(first, client), Flows(second, client)


def knows_what_was_not_pushed(first: Path, second: Path) -> None:
    """What stands behind the gate need not be computed once more. What the run has made so far comes by the remote."""
    cache, pushed = second / ".hallmark" / "cache", second.with_name("store") / "files"
    for name in ("cache", "records"):
        shutil.copytree(first / ".hallmark" / name, second / ".hallmark" / name)
    there = [path.relative_to(pushed.parent) for path in pushed.rglob("*") if path.is_file()]
    assert there
    for name in there:
        (cache / name).unlink()


def test_a_parked_run_goes_on_elsewhere(machines: tuple[Flows, Flows]) -> None:
    """The first machine's folder is out of reach meanwhile."""
    here, there = machines
    first, second = here.project, there.project
    parked = here.run("--as", "ml-engineer")
    run = parked.name
    assert status(first, run)["status"] == "waiting"
    knows_what_was_not_pushed(first, second)
    # In environment local it is decided where it is; nobody is there to let it go on.
    hallmark(first, "gates", "approve", run, "data", "--as", "data-owner", "--reason", "seen")
    away = first.rename(first.with_name("away"))
    told, flow_run = there.asked("--resume", run)
    assert f"run {run} was fetched, with its outputs: " in told
    there.execute(there.look(flow_run))
    ledger = open_ledger(second / ".hallmark")
    (taken,) = ledger.entries(TAKEOVER_KIND, run)
    assert [entry for entry in ledger.entries(cases.CLOSED, run) if entry.seq > taken.seq], "it went on"
    known = status(second, run)
    assert known["gates"]["data"]["decided_by"] == ["data-owner"]
    assert known["gates"]["evaluation"]["state"] == "waiting"
    assert {known["stages"][name]["state"] for name in DATA_STAGE_NAMES[1:]} == {"cached"}

    away.rename(first)
    assert SuspendedRuns(first).resume_decided() == [run], "its flow run wakes up"
    here.execute(parked)
    ended = status(first, run)
    assert ended["status"] == "failed" and f"run {run} was taken up on another machine" in ended["error"]
    assert not open_ledger(first / ".hallmark").entries("run.ended", run)
