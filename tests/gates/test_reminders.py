"""A gate that waits: reminders, escalation and expiry, each once, over restarts and with clocks that jump."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta

import pytest

from tasks.gates import cases, reminders
from tasks.ledger.ledger import Entry, Ledger, open_ledger
from tests.governed.house import POLICY, House, put_result, reload

RULES = "deadline_days: 10\n        remind_days: [1, 3, 7]\n        escalate: {role: release-manager, after_days: 5}"
SLOW = POLICY.replace(
    "        decisions: [{role: data-owner}]\n", f"        decisions: [{{role: data-owner}}]\n        {RULES}\n"
)


@pytest.fixture
def slow(house: House) -> House:
    reload(house, policy=SLOW)
    return house


After = Callable[[House, float], list[tuple[str, float | str]]]


@pytest.fixture
def after(monkeypatch: pytest.MonkeyPatch) -> After:
    """A function that returns what is recorded that many days after the gate was asked."""

    def recorded(house: House, days: float) -> list[tuple[str, float | str]]:
        asked = cases.open_cases(house.ledger)[0]
        clock(asked.opening_entry.time + timedelta(days=days), monkeypatch)
        return [said(entry) for entry in reminders.record_due_notices(house.ledger, house.governance, asked)]

    return recorded


def clock(now: datetime, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Ledger, "now", lambda _: now)


def said(entry: Entry) -> tuple[str, float | str]:
    body = entry.body
    return (entry.kind, body.get("after_days") or body.get("to") or body["state"])


def test_each_reminder_and_the_escalation_come_once_at_their_time(slow: House, after: After) -> None:
    slow.ask()
    wanted = {
        0.9: [], 1.1: [("gate.reminded", 1)], 1.2: [], 3: [("gate.reminded", 3)],
        5: [("gate.escalated", "release-manager")], 6: [], 7.5: [("gate.reminded", 7)], 9.9: [],
    }  # fmt: skip
    assert {days: after(slow, days) for days in wanted} == wanted
    roles = [entry.body["roles"] for entry in slow.ledger.entries(reminders.REMINDED)]
    assert roles == [["data-owner"]] * 3


def test_a_monitor_that_was_off_for_days_says_the_last_reminder_alone(slow: House, after: After) -> None:
    slow.ask()
    assert after(slow, 8) == [("gate.reminded", 7), ("gate.escalated", "release-manager")]
    slow.ledger = open_ledger(slow.state)  # a new process
    assert after(slow, 8) == []


def test_a_clock_that_jumps_back_and_forth_repeats_nothing(slow: House, after: After) -> None:
    slow.ask()
    assert after(slow, 3) == [("gate.reminded", 3)]
    for days in (-400, 1, 3, 0, 4):
        assert after(slow, days) == []


def test_two_monitors_at_once_say_it_once(slow: House, monkeypatch: pytest.MonkeyPatch) -> None:
    slow.ask()
    asked = cases.open_cases(slow.ledger)[0]
    clock(asked.opening_entry.time + timedelta(days=2), monkeypatch)
    with ThreadPoolExecutor(4) as pool:
        list(
            pool.map(lambda _: reminders.record_due_notices(open_ledger(slow.state), slow.governance, asked), range(4))
        )
    assert len(slow.ledger.entries(reminders.REMINDED)) == 1


def test_at_the_deadline_the_gate_closes_once_and_takes_no_decision(slow: House, after: After) -> None:
    asked = slow.ask()
    case = cases.open_cases(slow.ledger)[0]
    assert after(slow, 10.1) == [("gate.closed", "expired")]
    assert reminders.record_due_notices(slow.ledger, slow.governance, case) == []
    assert cases.open_cases(slow.ledger) == [] and slow.judge(asked).state == "expired"
    assert len(slow.ledger.entries(cases.CLOSED)) == 1


def test_who_has_decided_is_left_in_peace(slow: House, after: After) -> None:
    slow.decide(slow.ask(), "owner")
    assert after(slow, 8) == []


def test_of_two_roles_the_one_that_is_missing_is_reminded_and_of_a_failed_check_who_may_waive_it(
    house: House, after: After
) -> None:
    reload(house, policy=SLOW.replace("[{role: data-owner}]", "[{role: data-owner}, {role: ml-lead}]"))
    put_result(house.layout.artefacts("split"), train_rows=50)
    house.decide(house.ask(), "owner")
    assert after(house, 2) == [("gate.reminded", 1)]
    (entry,) = house.ledger.entries(reminders.REMINDED)
    assert entry.body["roles"] == ["ml-lead", "risk"]


def test_the_same_question_asked_again_after_closing_is_reminded_of_anew(slow: House, after: After) -> None:
    slow.ask()
    assert after(slow, 1) == [("gate.reminded", 1)]
    (slow.layout.artefacts("split") / "train.txt").write_text("other rows")
    slow.ask()
    assert after(slow, 1.5) == [("gate.reminded", 1)]
