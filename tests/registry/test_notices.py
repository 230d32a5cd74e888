"""Notices reach a webhook or a Prefect block once each, in order, and what fails is tried again."""

import json
import logging
import sqlite3
import threading
from collections.abc import Iterator
from datetime import timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from infra.prefect import notify
from tasks.core.errors import InputError, Unavailable
from tasks.gates import cases, reminders
from tasks.incidents import incidents
from tasks.ledger.ledger import Ledger
from tasks.runs import run_entries
from tests.registry.conftest import After
from tests.registry.house import House, open_house

if TYPE_CHECKING:
    from tests.prefect_server import Server

SECRET = "T0KEN"


class Hook(ThreadingHTTPServer):
    """Takes what is posted; answers with the statuses in `answers`, then 200."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.taken: list[dict] = []
        self.answers: list[int] = []

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}/{SECRET}"


class Handler(BaseHTTPRequestHandler):
    server: Hook

    def do_POST(self) -> None:
        document = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        status = self.server.answers.pop(0) if self.server.answers else 200
        if status == 200:
            self.server.taken.append(document)
        self.send_response(status)
        self.end_headers()

    def log_message(self, *_: object) -> None: ...


@pytest.fixture
def hook(monkeypatch: pytest.MonkeyPatch) -> Iterator[Hook]:
    server = Hook()
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    monkeypatch.setenv(notify.DESTINATION_VARIABLE, server.url)
    monkeypatch.setattr(notify, "RETRY_DELAYS", (0.0, 0.0, 0.0))
    yield server
    server.shutdown()
    server.server_close()
    thread.join()


def prepare(house: House) -> None:
    (house.root / "infra").mkdir()
    (house.root / "infra" / "governance").symlink_to(Path("..") / "governance")
    assert notify.send_new_notices(house.root) == []


@pytest.fixture
def project(after: After, released_once: Path) -> House:
    """A house with one release, as a checkout, whose news so far have been dealt with."""
    return after(prepare, before=released_once)


@pytest.fixture
def happened(after: After, released_once: Path) -> House:
    """The project, where something of everything that is told has happened since, `EVENTS`."""
    return after(prepare, happen, before=released_once)


EVENTS = [
    "gate.asked", *["gate.asked"] * 3, "release.promoted", "release.rolled_back", "incident.opened",
    "incident.escalated",
]  # fmt: skip
"""In their order."""


def happen(house: House) -> None:
    layout = house.begin("run-2", b"other")
    house.ask(layout, "data")
    house.release("run-3", b"worse")
    house.roll_back("because Ada said so")
    now = house.ledger.now()
    incidents.open_incident_if_new(
        house.ledger, house.governance, "waiver-expired", "triage-1", {}, "major", "risk", "it expired",
        escalates_at=now - timedelta(hours=1),
    )  # fmt: skip
    incidents.escalate_overdue_incidents(house.ledger, house.governance)


def test_what_happens_is_posted_once_and_in_order_and_names_nobody(happened: House, hook: Hook) -> None:
    assert len(notify.send_new_notices(happened.root)) == len(EVENTS)
    assert [document["event"] for document in hook.taken] == EVENTS
    assert notify.send_new_notices(happened.root) == [] and len(hook.taken) == len(EVENTS)
    asked, promoted = hook.taken[0], hook.taken[4]
    assert asked["title"] == "data gate of run run-2 waits for a decision" and "role data-owner" in asked["text"]
    assert "hallmark gates show run-2 data; then hallmark gates approve run-2 data --as ID" in asked["text"]
    assert promoted["about"] == "triage-2" and promoted["command"] == "hallmark releases show triage-2"
    told = json.dumps(hook.taken)
    for person in ("engineer", '"owner', " owner", "risk-officer", "product ", "Ada"):
        assert person not in told


def test_runs_that_failed_or_died_are_told(project: House, hook: Hook) -> None:
    notify.send_new_notices(project.root)
    run_entries.record_interruption(project.ledger, "run-8", 1, goes_on=True)
    run_entries.record_interruption(project.ledger, "run-8", 4, goes_on=False)
    run_entries.record_end(project.ledger, "run-8", "failed", None, None)
    run_entries.record_end(project.ledger, "run-9", "unchanged", "0" * 40, None)
    titles = notify.send_new_notices(project.root)
    assert titles == ["run run-8 was interrupted: its process died"] * 2 + ["run run-8 failed"]
    assert [document["event"] for document in hook.taken] == ["run.interrupted"] * 2 + ["run.failed"]
    goes_on, stands, _ = hook.taken
    assert "It goes on by itself." in goes_on["text"] and "--resume" not in goes_on["text"]
    assert "It died 4 times" in stands["text"] and stands["command"].endswith("; then hallmark run --resume run-8")


def test_a_reminder_an_escalation_and_an_expiry_are_told(
    project: House, hook: Hook, monkeypatch: pytest.MonkeyPatch
) -> None:
    rules = (
        "decisions: [{role: data-owner, owners: true}]\n        deadline_days: 3\n        remind_days: [1]\n        "
    )
    rules += "escalate: {role: risk, after_days: 2}"
    project.adopt(lambda policy: policy.replace("decisions: [{role: data-owner, owners: true}]", rules))
    house = open_house(project.root)
    house.ask(house.begin("run-2", b"other"), "data")
    (case,) = cases.open_cases(house.ledger)
    for days in (1, 2, 3.1):
        monkeypatch.setattr(Ledger, "now", lambda _, days=days: case.opening_entry.time + timedelta(days=days))
        reminders.record_due_notices(house.ledger, house.governance, case)
    notify.send_new_notices(house.root)
    assert [document["event"] for document in hook.taken] == [
        "gate.asked", "gate.reminded", "gate.escalated", "gate.expired"
    ]  # fmt: skip
    assert "still waits after 1 days" in hook.taken[1]["title"]
    assert "role data-owner decides until" in hook.taken[1]["text"] and "Role risk sees to it" in hook.taken[2]["text"]


def test_two_failures_are_overcome_and_a_third_waits_for_the_next_time(happened: House, hook: Hook) -> None:
    hook.answers = [500, 503]
    assert len(notify.send_new_notices(happened.root)) == len(EVENTS)
    again = happen_again(happened)
    hook.answers = [200, 500, 500, 500]
    with pytest.raises(Unavailable, match=r"could not be sent \(HTTPStatusError, status 500\)") as caught:
        notify.send_new_notices(happened.root)
    assert SECRET not in str(caught.value)
    assert len(hook.taken) == len(EVENTS) + 1
    notify.send_new_notices(happened.root)
    assert [document["about"] for document in hook.taken[len(EVENTS) :]] == again


def happen_again(house: House) -> list[str]:
    for number in range(3):
        incidents.open_incident_if_new(
            house.ledger, house.governance, "waiver-expired", "triage-1", {"n": number}, "major", "risk", "it expired"
        )
    return [one.id for one in incidents.read_all(house.ledger, house.governance)[-3:]]


@pytest.mark.attack(rights="visitor", stopped="an answer has a time in which it is complete")
def test_a_hook_whose_answer_never_ends_is_given_up(
    happened: House, hook: Hook, monkeypatch: pytest.MonkeyPatch
) -> None:
    ended = threading.Event()

    def trickle(handler: Handler) -> None:
        while not ended.wait(0.05):
            handler.wfile.write(b"x")

    monkeypatch.setattr(Handler, "do_POST", trickle)
    monkeypatch.setattr(notify, "MAX_ANSWER_SECONDS", 0.3)
    try:
        with pytest.raises(Unavailable, match=r"could not be sent \(TimeLimitExceeded\)"):
            notify.send_new_notices(happened.root)
    finally:
        ended.set()
    monkeypatch.undo()
    monkeypatch.setenv(notify.DESTINATION_VARIABLE, hook.url)
    notify.send_new_notices(happened.root)
    assert [document["event"] for document in hook.taken] == EVENTS, "it is told later, in order"


def test_a_hook_that_is_away_loses_nothing(happened: House, hook: Hook, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(notify.DESTINATION_VARIABLE, f"http://127.0.0.1:1/{SECRET}")
    with pytest.raises(Unavailable, match="ConnectError") as caught:
        notify.send_new_notices(happened.root)
    assert SECRET not in str(caught.value)
    monkeypatch.setenv(notify.DESTINATION_VARIABLE, hook.url)
    notify.send_new_notices(happened.root)
    assert [document["event"] for document in hook.taken] == EVENTS


def test_without_a_setting_the_log_alone_is_told_and_setting_it_later_brings_no_old_news(
    happened: House, hook: Hook, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv(notify.DESTINATION_VARIABLE)
    assert len(notify.send_new_notices(happened.root)) == len(EVENTS)
    monkeypatch.setenv(notify.DESTINATION_VARIABLE, hook.url)
    assert notify.send_new_notices(happened.root) == [] and hook.taken == []


@pytest.mark.attack(rights="database", stopped="what cannot be is taken back, said, and told again")
@pytest.mark.parametrize("come", [2**62, "abc"])
def test_a_row_that_says_all_was_told_silences_nothing(
    happened: House, hook: Hook, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch, come: int | str
) -> None:
    caplog.set_level("WARNING")
    monkeypatch.setattr(logging.getLogger("prefect"), "propagate", True)
    with sqlite3.connect(happened.root / ".hallmark" / "ledger.db") as database:
        database.execute("UPDATE hallmark_leases SET come = ? WHERE name = ?", (come, notify.CURSOR_NAME))
    notify.send_new_notices(happened.root)
    assert [document["event"] for document in hook.taken][-len(EVENTS) :] == EVENTS
    told = len(hook.taken)
    again = happen_again(happened)
    notify.send_new_notices(happened.root)
    assert [document["about"] for document in hook.taken[told:]] == again, "from there on once, as ever"
    assert caplog.text.count("notices: the ledger's database said that they had come further") == 1


def test_of_what_is_told_again_years_are_left_out(happened: House, monkeypatch: pytest.MonkeyPatch) -> None:
    later = happened.ledger.now() + notify.RESEND_PERIOD + timedelta(days=1)
    monkeypatch.setattr(Ledger, "now", lambda _: later)
    assert notify._last_older_entry(happened.ledger) == happened.ledger.last_seq()


def test_what_the_gates_key_did_not_sign_is_told_to_nobody(project: House, hook: Hook) -> None:
    for kind, subject in (("promotion.made", "triage"), ("incident.opened", "x"), ("incident.escalated", "x"),
                          ("gate.asked", "r"), ("gate.closed", "r"), ("gate.reminded", "r")):  # fmt: skip
        project.ledger.append(kind, subject, {"envelope": {"payload": "e30="}})
    assert notify.send_new_notices(project.root) == [] and hook.taken == []


@pytest.mark.parametrize("given", ["http://hooks.example.com/x", "slack-webhook", "ftp://a/b", "a/b/c", "/ops"])
def test_a_setting_that_is_neither_block_nor_safe_webhook_is_refused(
    given: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(notify.DESTINATION_VARIABLE, given)
    with pytest.raises(InputError, match="HALLMARK_NOTIFY: expected a Prefect notification block") as caught:
        notify.configured_destination()
    assert "hooks.example.com" not in str(caught.value), "a webhook's URL may hold a secret"


@pytest.mark.slow
def test_a_prefect_block_is_notified(
    happened: House, hook: Hook, prefect_server: "Server", monkeypatch: pytest.MonkeyPatch
) -> None:
    from prefect.blocks.notifications import CustomWebhookNotificationBlock

    with prefect_server.used():
        block = CustomWebhookNotificationBlock(name="ops", url=hook.url, json_data={"said": "{{subject}} | {{body}}"})  # type: ignore[call-arg]
        block.save("ops-of-notices")
        monkeypatch.setenv(notify.DESTINATION_VARIABLE, "custom-webhook/ops-of-notices")
        notify.send_new_notices(happened.root)
    assert len(hook.taken) == len(EVENTS)
    assert hook.taken[0]["said"].startswith("data gate of run run-2 waits for a decision | It is asked of role")
