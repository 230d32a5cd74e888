"""A Postgres that holds the ledger is restarted between a decision and the run going on: nothing is lost."""

import json
import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tasks.gates import cases
from tasks.gates.signed_decision import KIND
from tasks.ledger.ledger import open_ledger
from tests.checkouts import Checkouts
from tests.governed.postgres import Cluster, cluster
from tests.run_states import status
from tests.tiny_project import hallmark, hallmark_json

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1500)]


@pytest.fixture
def database() -> Iterator[Cluster]:
    with cluster() as made:
        yield made


@pytest.fixture
def project(tmp_path: Path, checkouts: Checkouts, database: Cluster, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    monkeypatch.setenv("HALLMARK_LEDGER_URL", database.url)
    folder = checkouts.warm(tmp_path / "project", ledger=False)
    hallmark(folder, "init")
    yield folder
    hallmark(folder, "down")


def log(project: Path) -> str:
    return (project / ".hallmark" / "prefect" / "watch.log").read_text()


def wait(until, seconds: float = 300) -> None:  # type: ignore[no-untyped-def]
    deadline = time.monotonic() + seconds
    while not until():
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.5)


def test_a_decision_outlives_the_database_and_the_run_that_waited_goes_on(project: Path, database: Cluster) -> None:
    parked = hallmark_json(project, "run", "--as", "ml-engineer")
    run, watch = parked["run"], json.loads((project / ".hallmark" / "prefect" / "up.json").read_text())["watch"]
    os.kill(watch["pid"], signal.SIGSTOP)  # so that it has not seen the decision when the database goes
    hallmark(project, "gates", "approve", run, "data", "--as", "data-owner", "--reason", "seen")
    database.stop()
    os.kill(watch["pid"], signal.SIGCONT)
    wait(lambda: "the ledger at postgresql" in log(project))
    told = hallmark(project, "gates", "approve", run, "data", "--as", "data-owner", "--reason", "again", code=3)
    assert "nothing was recorded" in told and "s3cret" not in told
    assert status(project, run)["status"] == "waiting"

    database.start()
    ledger = open_ledger(project / ".hallmark")
    wait(lambda: ledger.entries(cases.CLOSED, run))
    wait(lambda: any(entry.body["stage"] == "base_model" for entry in ledger.entries("run.stage", run)))
    hallmark(project, "down")
    (decision,), (closing,) = ledger.entries(KIND), ledger.entries(cases.CLOSED, run)
    assert decision.seq < closing.seq and closing.body["state"] == "passed"
    assert status(project, run)["gates"]["data"]["decided_by"] == ["data-owner"]
    assert not (project / ".hallmark" / "ledger.db").exists(), "there is no other ledger"
    assert "holds" in hallmark(project, "ledger", "verify")
