"""Runs that schedules and triggers ask for, on a real Prefect server, and what stands in between."""

from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from prefect.settings import PREFECT_API_URL, temporary_settings

from flows.partial_work import PartialFailure
from flows.scheduling import OccasionHandler, create_flow_run
from flows.suspended_runs import SuspendedRuns
from infra.prefect.runner import DEFAULT_CONCURRENCY, concurrency_limit
from tasks.gates import cases, signed_request
from tasks.ledger.ledger import Entry, open_ledger
from tasks.runs import installation
from tasks.runs.git.repository import Repository
from tasks.runs.run import installed_governance
from tasks.scheduling import control, occasion_entries, requests, trigger_events
from tasks.scheduling.deployments_file import EventReported, OpenRunRule
from tasks.scheduling.occasion_log import PASSED_OVER, STARTED, TAKEN, OccasionLog
from tests.checkouts import Checkouts
from tests.in_process import hallmark
from tests.ledger_tampering import change_entry
from tests.patience import patience, wait_until
from tests.prefect_server import Flows, Server
from tests.run_states import status
from tests.tiny_project import git

NOWHERE = "http://127.0.0.1:9/api"
"""Nobody listens on the port of `discard`."""


@pytest.fixture
def project(tmp_path: Path, checkouts: Checkouts) -> Path:
    return checkouts.ready(tmp_path / "project")


@pytest.fixture
def flows(tmp_path: Path, checkouts: Checkouts, prefect_server: Server) -> Iterator[Flows]:
    """Those of a project whose stages were done before."""
    with prefect_server.used(), prefect_server.client() as client:
        yield Flows(checkouts.warm(tmp_path / "warm"), client)


def declare(project: Path, text: str) -> None:
    control.declare_deployments(
        open_ledger(project / ".hallmark"), installed_governance(project, None), "ml-engineer", text
    )


def declare_soon(project: Path, limits: str = "", triggers: str = "upstream: {on: event}") -> datetime:
    """Declares a schedule that is due in some seconds, beside limits and triggers. Returns when it is due.

    One that is declared after its time is due an hour later, so a busy machine declares it again.
    """
    ledger = open_ledger(project / ".hallmark")
    while True:
        due = (ledger.now() + timedelta(seconds=patience(2))).replace(microsecond=0)
        schedule = f"hourly: {{every: 1h, anchor: '{due:%Y-%m-%d %H:%M:%S}', changes: {{training.seed: 7}}}}"
        declare(project, f"{limits}schedules:\n  {schedule}\ntriggers:\n  {triggers}\n")
        if ledger.now() < due:
            return due


def take_event(project: Path, key: str) -> str:
    """As a command or a runner does that is killed once the ledger has the occasion. Returns the run's id."""
    entry = record_event(project, key)
    assert entry.kind == TAKEN
    return str(entry.body["run"])


def record_event(project: Path, key: str, open_run: OpenRunRule = "queue") -> Entry:
    ledger, governed = open_ledger(project / ".hallmark"), installed_governance(project, None)
    occasion = trigger_events.make_occasion(
        "upstream", EventReported(on="event", open_run=open_run), f"event/{key}", "the export is there"
    )
    ask = requests.request_signer(Repository.open(project), ledger, governed, occasion)
    entry = occasion_entries.record_occasion(
        ledger, OccasionLog(), occasion, installation.installation_id(project), ask
    )
    assert entry is not None
    return entry


def wait_until_due(project: Path, due: datetime) -> None:
    ledger = open_ledger(project / ".hallmark")
    wait_until(lambda: ledger.now() > due, f"the ledger's time to be after {due}")


@pytest.mark.slow
def test_a_run_that_waits_is_left_alone_keeps_the_next_from_coming_or_makes_room(flows: Flows) -> None:
    project = flows.project
    ledger, watch = open_ledger(project / ".hallmark"), SuspendedRuns(project)
    declare(project, "triggers:\n  upstream: {on: event}\n")
    first = take_event(project, "export-1")
    assert record_event(project, "export-2", "skip").body["why"] == f"run {first} has not ended", "it has not begun"
    OccasionHandler(project).handle_schedules()
    (flow_run,) = flows.all()
    flows.execute(flow_run)
    assert watch.resume_decided() == []

    skipped = record_event(project, "export-3", "skip")
    assert (skipped.kind, skipped.body["why"]) == (PASSED_OVER, f"run {first} has not ended")
    assert record_event(project, "export-4").kind == TAKEN and not ledger.entries(cases.CLOSED), "it waits beside it"

    second = record_event(project, "export-5", "replace").body["run"]
    (closed,) = ledger.entries(cases.CLOSED)
    assert (closed.subject, closed.body["state"]) == (first, "replaced")
    assert watch.resume_decided() == [first]
    flows.execute(flow_run)
    ended = status(project, first)
    assert ended["status"] == "failed" and "a newer run of its schedule or trigger took its place" in ended["error"]
    assert record_event(project, "export-6", "skip").body["why"] == f"run {second} has not ended"


@pytest.mark.slow
def test_a_schedule_and_what_a_killed_process_left_each_make_one_run(flows: Flows) -> None:
    project = flows.project
    due = declare_soon(project)
    left = take_event(project, "export-1")
    wait_until_due(project, due)
    looking = OccasionHandler(project)
    assert len(looking.handle_schedules()) == 3, "the schedule is due, and two runs are handed to Prefect"
    assert looking.handle_schedules() == [] == OccasionHandler(project).handle_schedules(), (
        "whoever looks again asks for nothing"
    )

    ledger, governed = open_ledger(project / ".hallmark"), installed_governance(project, None)
    (scheduled,) = [entry.body["run"] for entry in ledger.entries(TAKEN) if entry.body["name"] == "hourly"]
    made = {flow_run.parameters["request"]["run_id"]: flow_run for flow_run in flows.all()}
    assert len(flows.all()) == 2 and made.keys() == {left, scheduled}
    assert {flow_run.name for flow_run in made.values()} == made.keys(), "a queued flow run is named by its run"
    assert [flow_run.tags for flow_run in made.values()] == [["asked-by:scheduler"]] * 2
    for flow_run in made.values():
        flows.execute(flow_run)
    for flow_run in flows.all():
        assert {"use-case:tiny", "tier:limited"} <= set(flow_run.tags)

    reason = "trigger upstream: the export is there"
    known = status(project, left)
    assert (known["status"], known["reason"]) == ("waiting", reason)
    assert signed_request.require_request(ledger, governed, left).request.reason == reason

    known, asked = status(project, scheduled), signed_request.require_request(ledger, governed, scheduled)
    assert known["status"] == "waiting" and asked.request.requested_by == known["requested_by"] == "scheduler"
    assert asked.request.reason == known["reason"] and "schedule hourly, due " in known["reason"]
    assert asked.request.changes == {"training.seed": "7"}
    assert f"reason: {known['reason']}" in hallmark(project, "runs", "show", scheduled)
    event = OccasionLog().update(ledger).find_taken("upstream/event/export-1")
    (entry,) = ledger.entries(STARTED, "upstream/event/export-1")
    assert event and create_flow_run(flows.client, project, event) == entry.body["flow_run"], (
        "asked again it is the same"
    )
    assert {entry.body["flow_run"] for entry in ledger.entries(STARTED)} == {str(each.id) for each in flows.all()}


def look(handle: Callable[[], list[str]]) -> tuple[list[str], list[str]]:
    """What was done and what failed, with no Prefect server to be had."""
    with temporary_settings({PREFECT_API_URL: NOWHERE}):
        try:
            return handle(), []
        except PartialFailure as error:
            return error.done, error.failed


@pytest.mark.attack(rights="database", stopped="a schedule looks at the ledger before it asks for a run")
def test_no_run_is_asked_for_on_a_changed_ledger(project: Path) -> None:
    due = declare_soon(project)
    ledger = open_ledger(project / ".hallmark")
    sequence = ledger.append("gate.reminded", "a run", {"gate": "data"}).seq
    hallmark(project, "ledger", "publish")
    change_entry(project / ".hallmark" / "ledger.db", sequence)
    wait_until_due(project, due)
    done, (failed,) = look(OccasionHandler(project).handle_schedules)
    assert not done and not ledger.entries(TAKEN)
    assert "So nothing is done on it" in failed


def test_one_that_cannot_be_looked_at_keeps_no_other_from_its_run(project: Path) -> None:
    """A params file that went, a source that is away and comes back, and Prefect, which is away all the time."""
    assert concurrency_limit(project) == DEFAULT_CONCURRENCY
    due = declare_soon(
        project,
        limits="concurrency: 3\n",
        triggers="data: {on: source_changed}\n  card: {on: card_changed, params: gone.yaml}",
    )
    assert concurrency_limit(project) == 3
    ledger, looking, source = (
        open_ledger(project / ".hallmark"),
        OccasionHandler(project),
        project / "examples/messages.csv",
    )
    text = source.read_text()
    git(project, "rm", "-q", "examples/messages.csv")
    git(project, "commit", "-qm", "the source lies elsewhere")
    wait_until_due(project, due)
    done, (schedule,) = look(looking.handle_schedules)
    assert not done and not ledger.entries(TAKEN), "a run would not find its source"
    _, (data, card) = look(looking.handle_triggers)
    assert "there is no examples/messages.csv" in schedule and "there is no examples/messages.csv" in data
    assert "gone.yaml: no such file" in card
    source.write_text(text)
    done, failed = look(looking.handle_schedules)
    (entry,) = ledger.entries(TAKEN)
    assert done == [f"{entry.body['reason']}: run {entry.body['run']}"]
    assert [line.partition(" (")[0] for line in failed] == [f"run {entry.body['run']} waits: Prefect does not take it"]
    assert look(looking.handle_schedules)[0] == [] and len(ledger.entries(TAKEN)) == 1 and not ledger.entries(STARTED)
