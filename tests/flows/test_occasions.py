"""Runs that schedules and triggers ask for, on a real Prefect server, and what stands in between."""

import time
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from prefect.settings import PREFECT_API_URL, temporary_settings

from flows.occasions import Occasions, create
from flows.partly import Partly
from infra.prefect.runner import RUNS, at_once
from tasks.gates import signed_request
from tasks.ledger.ledger import open_ledger
from tasks.occasions import deciding, events, requests, taking
from tasks.occasions.book import STARTED, TAKEN, Book
from tasks.occasions.declared import Event
from tasks.runs import installation
from tasks.runs.repository import Repository
from tasks.runs.run import installed_governance
from tests import in_process
from tests.checkouts import Checkouts
from tests.prefect_client import prefect
from tests.run_states import wait_until
from tests.tiny_project import hallmark

NOWHERE = "http://127.0.0.1:9/api"
"""Nobody listens on the port of `discard`."""


@pytest.fixture
def project(tmp_path: Path, checkouts: Checkouts) -> Iterator[Path]:
    folder = checkouts.ready(tmp_path / "project")
    yield folder
    hallmark(folder, "down")


def declare(project: Path, text: str) -> None:
    deciding.declare(open_ledger(project / ".hallmark"), installed_governance(project, None), "ml-engineer", text)


def soon(project: Path, seconds: float) -> str:
    """A file with a schedule that is due in some seconds, and a trigger for events."""
    anchor = open_ledger(project / ".hallmark").now() + timedelta(seconds=seconds)
    return (
        f"schedules:\n  hourly: {{every: 1h, anchor: '{anchor:%Y-%m-%d %H:%M:%S}', changes: {{data.seed: 7}}}}\n"
        "triggers:\n  upstream: {on: event}\n"
    )


def take_event(project: Path, key: str) -> str:
    """As a command or a runner does that is killed once the ledger has the occasion. Returns the run's id."""
    ledger, governed = open_ledger(project / ".hallmark"), installed_governance(project, None)
    occasion = events.occasion("upstream", Event(on="event"), f"event/{key}", "the export is there")
    ask = requests.asks(Repository.open(project), ledger, governed, occasion)
    entry = taking.take(ledger, Book(), occasion, installation.of(project), ask)
    assert entry is not None and entry.kind == TAKEN
    return str(entry.body["run"])


@pytest.mark.slow
def test_a_schedule_and_what_a_killed_process_left_each_make_one_run(project: Path) -> None:
    (project / "deployments.yaml").write_text(soon(project, seconds=30))
    hallmark(project, "deploy", "deployments.yaml", "--as", "ml-engineer", "--no-start")
    left = take_event(project, "export-1")
    hallmark(project, "up")
    ledger, governed = open_ledger(project / ".hallmark"), installed_governance(project, None)

    reason = "trigger upstream: the export is there"
    assert wait_until(project, left, lambda known: known["stages"])["reason"] == reason
    assert signed_request.require(ledger, governed, left).request.reason == reason

    wait_until(project, left, lambda _: len(ledger.entries(TAKEN)) == 2)
    (scheduled,) = [entry.body["run"] for entry in ledger.entries(TAKEN) if entry.body["name"] == "hourly"]
    known = wait_until(project, scheduled, lambda known: known["stages"])
    asked = signed_request.require(ledger, governed, scheduled)
    assert asked.request.requested_by == known["requested_by"] == "scheduler"
    assert asked.request.reason == known["reason"] and "schedule hourly, due " in known["reason"]
    assert asked.request.changes == {"data.seed": "7"}
    (begun,) = ledger.entries(signed_request.KIND, scheduled)
    taken = next(entry for entry in ledger.entries(TAKEN) if entry.body["run"] == scheduled)
    seconds = (begun.time - datetime.fromisoformat(taken.body["due"])).total_seconds()
    print(f"from a schedule's time to its run: {seconds:.1f} s")
    shown = in_process.hallmark(project, "status", scheduled)
    assert f"reason: {known['reason']}" in shown
    with prefect(project) as client:
        runs = [flow_run.parameters["request"]["run_id"] for flow_run in client.read_flow_runs()]
        assert sorted(runs) == sorted([left, scheduled]), "looked at for some seconds, and asked for once"
        known = Book().update(ledger).find("upstream/event/export-1")
        (entry,) = ledger.entries(STARTED, "upstream/event/export-1")
        assert known and create(client, project, known) == entry.body["flow_run"], "asked again it is the same"
        assert {entry.body["flow_run"] for entry in ledger.entries(STARTED)} == {
            str(flow_run.id) for flow_run in client.read_flow_runs()
        }


def look(looking: Occasions) -> tuple[list[str], list[str]]:
    """What was done and what failed, with no Prefect server to be had."""
    with temporary_settings({PREFECT_API_URL: NOWHERE}):
        try:
            return looking.look(), []
        except Partly as error:
            return error.done, error.failed


def test_one_that_cannot_be_looked_at_keeps_no_other_from_its_run(project: Path) -> None:
    """A params file that went, a source that is away and comes back, and Prefect, which is away all the time."""
    assert at_once(project) == RUNS
    declare(
        project,
        "concurrency: 3\n"
        + soon(project, 8)
        + "  data: {on: source_changed}\n  card: {on: card_changed, params: gone.yaml}\n",
    )
    assert at_once(project) == 3
    ledger, looking, source = open_ledger(project / ".hallmark"), Occasions(project), project / "examples/messages.csv"
    text = source.read_text()
    source.unlink()
    time.sleep(9)
    done, failed = look(looking)
    assert not done and not ledger.entries(TAKEN), "a run would not find its source"
    schedule, data, card = failed
    assert "there is no examples/messages.csv" in schedule and "there is no examples/messages.csv" in data
    assert "gone.yaml: no such file" in card
    source.write_text(text)
    (done, failed) = look(looking)
    (entry,) = ledger.entries(TAKEN)
    assert done == [f"{entry.body['reason']}: run {entry.body['run']}"]
    assert [line.partition(" (")[0] for line in failed] == [f"run {entry.body['run']} waits: Prefect does not take it"]
    assert look(looking)[0] == [] and len(ledger.entries(TAKEN)) == 1 and not ledger.entries(STARTED)
