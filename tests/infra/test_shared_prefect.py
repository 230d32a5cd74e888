"""Two checkouts on one Prefect server: each takes its own runs, and shows who it is."""

import json
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest
from prefect.client.schemas.objects import StateType

from flows.lifecycle import run_id
from flows.parked import in_state
from infra.prefect import access, logs, server
from tasks.ledger.ledger import open_ledger
from tasks.runs import journal
from tasks.runs.journal import Journal
from tests import tiny_project
from tests.checkouts import Checkouts
from tests.in_process import hallmark, hallmark_json
from tests.prefect_client import prefect

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1500)]


@pytest.fixture
def owner(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, checkouts: Checkouts) -> Iterator[Path]:
    """Its server is the one."""
    monkeypatch.setenv("HALLMARK_PREFECT_PORT", "0")
    folder = checkouts.warm(tmp_path / "owner")
    tiny_project.hallmark(folder, "up")
    yield folder
    tiny_project.hallmark(folder, "down")


@pytest.fixture
def guest(tmp_path: Path, owner: Path, checkouts: Checkouts) -> Iterator[Path]:
    folder = checkouts.made(tmp_path / "guest")
    hallmark(folder, "init")  # keys of its own
    yield folder
    tiny_project.hallmark(folder, "down")


def test_each_takes_its_own_runs(owner: Path, guest: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    up = server.find(owner)
    assert up is not None
    ours = tiny_project.hallmark_json(owner, "run", "--as", "ml-engineer", "--detach")["run"]
    with monkeypatch.context() as theirs:
        theirs.setenv("PREFECT_API_URL", up.api)
        theirs.setenv("PREFECT_API_AUTH_STRING", "not the owner's")
        told = tiny_project.hallmark(guest, "run", "--as", "ml-engineer", code=3)
        assert "wants another PREFECT_API_AUTH_STRING" in told and "Traceback" not in told
        tiny_project.hallmark(guest, "down")
        theirs.setenv("PREFECT_API_AUTH_STRING", access.secret(owner))
        assert "secret" not in tiny_project.hallmark(guest, "up"), "that server's pages are somebody else's"
        parked = tiny_project.hallmark_json(guest, "run", "--as", "ml-engineer")
        assert parked["status"] == "waiting", parked["error"]
    deadline = time.monotonic() + 300
    while hallmark_json(owner, "status", ours)["status"] != "waiting":
        assert time.monotonic() < deadline, hallmark(owner, "status", ours)
        time.sleep(1)
    assert [line["run"] for line in hallmark_json(owner, "status")] == [ours]
    assert [line["run"] for line in hallmark_json(guest, "status")] == [parked["run"]]
    with prefect(owner) as client:
        for root, run in ((owner, ours), (guest, parked["run"])):
            assert [run_id(one) for one in in_state(root, client, StateType.PAUSED)] == [run]
    ledger = open_ledger(owner / ".hallmark")
    said = [line.text for line in logs.read(owner, ledger, ours, [])]
    assert "Beginning flow run" in said[0] and any("stage ingest" in text for text in said), said
    assert logs.read(owner, ledger, parked["run"], []) == [], "another's lines, on the same server"
    stop(owner)
    secret = access.secret(owner).encode()
    assert not [path for path in (guest / ".hallmark").rglob("*") if path.is_file() and secret in path.read_bytes()]
    assert json.loads((guest / ".hallmark" / "prefect" / "up.json").read_text())["server"] is None


def stop(root: Path) -> None:
    """A run that is in a stage, with all its processes, and no other run."""
    going = tiny_project.hallmark_json(root, "run", "--as", "ml-engineer", "--set", "data.seed=5", "--detach")["run"]
    deadline = time.monotonic() + 120
    while not _in_a_stage(known := journal.read(root / ".hallmark", going)):
        assert time.monotonic() < deadline, known
        time.sleep(0.1)
    assert f"hallmark run --resume {going}" in tiny_project.hallmark(root, "runs", "stop", going)
    assert hallmark_json(root, "status", going)["status"] == "interrupted"
    ended = time.monotonic() + 120
    while left := [each for each in psutil.process_iter(["cmdline"]) if going in " ".join(each.info["cmdline"] or [])]:
        assert time.monotonic() < ended, left
        time.sleep(0.1)
    assert "there is nothing to stop" in hallmark(root, "runs", "stop", going, code=2)


def _in_a_stage(known: Journal | None) -> bool:
    return known is not None and "running" in {line.state for line in known.stages.values()}
