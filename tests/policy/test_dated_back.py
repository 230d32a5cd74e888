"""Entries that somebody who may append to the database dates back or ahead, also with a key that counts no more."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest

from tasks.gates import signed_request
from tasks.gates.evidence import Evidence
from tasks.ledger.heads import publication
from tasks.ledger.ledger import Entry, Ledger
from tasks.policy import in_force, root_of_trust
from tests.gates.test_attacks import plant
from tests.governed.house import PEOPLE, House
from tests.policy.test_adoption import adopt, new_line

Wait = Callable[[timedelta], datetime]
MINUTE, HOUR = timedelta(minutes=1), timedelta(hours=1)
NO_TIME = timedelta()


@pytest.fixture
def wait(house: House, monkeypatch: pytest.MonkeyPatch) -> Wait:
    """Function that moves the ledger's clock, back too, and returns its time.

    Whoever appends to the database writes any time; here the clock does it. It begins a day ago, and then the sample
    policy comes into force.
    """
    now = [datetime.now(UTC) - timedelta(days=1)]
    monkeypatch.setattr(Ledger, "now", lambda _: now[0])

    def move(by: timedelta) -> datetime:
        now[0] += by
        return now[0]

    root_of_trust.create_root_key(house.state)
    adopt(house, "root")
    give_owner(house, "")
    move(MINUTE)
    return move


def give_owner(house: House, ended: str) -> None:
    """Adopt people in which the owner's first key has an end, beside a second key; and read what is in force."""
    held = f"id: owner, keys: [{{public_key: '{house.line('owner')}'{ended}}}, '{SECOND}'],"
    adopt(house, "risk-one", people=PEOPLE.replace("id: owner,", held))
    house.governance = in_force.load_in_force(house.governance.folder, house.state, house.ledger)


SECOND = new_line()


def ask_again(house: House) -> Entry:
    """Append a copy of the newest opening of a gate, which nobody signs."""
    asked = house.ledger.entries("gate.asked")[-1]
    (document,) = house.ledger.documents([asked])
    return house.ledger.append(asked.kind, asked.subject, asked.body, document)


def state(house: House, asked: Evidence) -> str:
    return house.judge(asked).state


@pytest.mark.attack(
    rights="database", stopped="an entry after an adoption counts from the adoption's time on, at least"
)
def test_a_revoked_key_decides_nothing_by_entries_dated_back(house: House, wait: Wait) -> None:
    asked = house.ask()
    revoked = wait(HOUR)
    wait(MINUTE)
    give_owner(house, f", revoked_as_of: '{revoked.isoformat()}', reason: stolen")
    wait(-10 * MINUTE)
    ask_again(house)
    plant(house, asked, "owner")
    wait(HOUR)
    assert state(house, asked) == "waiting"
    assert "is revoked as of" in house.why_not(asked)


@pytest.mark.attack(
    rights="database", stopped="an entry after an adoption counts from the adoption's time on, at least"
)
def test_a_revoked_key_asks_for_no_run_by_an_entry_dated_back(house: House, wait: Wait) -> None:
    revoked = wait(HOUR)
    wait(MINUTE)
    give_owner(house, f", revoked_as_of: '{revoked.isoformat()}', reason: stolen")
    wait(-10 * MINUTE)
    envelope = house.sign_request("run-9", "owner")
    house.ledger.append(signed_request.ENTRY_KIND, "run-9", {"envelope": envelope})
    assert signed_request.request_for_run(house.ledger, house.governance, "run-9") is None


@pytest.mark.attack(rights="database", stopped="a gate was asked at the latest of the times of its openings")
def test_a_key_that_ended_before_a_gate_was_asked_decides_nothing_by_an_opening_dated_back(
    house: House, wait: Wait
) -> None:
    give_owner(house, f", valid_before: '{(wait(NO_TIME) + HOUR).isoformat()}'")
    house.request()
    wait(2 * HOUR)
    asked = house.ask()
    wait(-90 * MINUTE)
    ask_again(house)
    plant(house, asked, "owner")
    wait(3 * HOUR)
    assert state(house, asked) == "waiting"
    assert "before its gate was asked" in house.why_not(asked)


@pytest.mark.attack(rights="database", stopped="an entry after a signed head counts from the head's time on, or nearly")
def test_a_key_that_ended_while_a_gate_is_open_decides_nothing_by_an_entry_dated_back(house: House, wait: Wait) -> None:
    give_owner(house, f", valid_before: '{(wait(NO_TIME) + HOUR).isoformat()}'")
    asked = house.ask()
    wait(2 * HOUR)
    publication.publish(house.ledger, house.governance)
    wait(-90 * MINUTE)
    plant(house, asked, "owner")
    wait(2 * HOUR)
    assert state(house, asked) == "waiting"
    assert "ended on" in house.why_not(asked)


@pytest.mark.attack(rights="database", stopped="only signed times bound the time of an entry")
def test_an_entry_dated_ahead_makes_nothing_else_count_later(house: House, wait: Wait) -> None:
    end = wait(NO_TIME) + HOUR
    give_owner(house, f", valid_before: '{end.isoformat()}'")
    years = timedelta(days=4000)
    wait(years)
    house.ledger.append("gate.reminded", "run-1", {})
    wait(-years)
    asked = house.ask()
    house.decide(asked, "owner")
    assert state(house, asked) == "passed"
    wait(2 * years)
    assert state(house, asked) == "passed"


def test_a_head_that_was_signed_with_the_clock_ahead_closes_no_gate(house: House, wait: Wait) -> None:
    asked = house.ask()
    years = timedelta(days=4000)
    wait(years)
    publication.publish(house.ledger, house.governance)
    wait(-years)
    house.decide(asked, "owner")
    assert state(house, asked) == "passed"


def test_a_clock_that_runs_back_a_little_changes_nothing(house: House, wait: Wait) -> None:
    asked = house.ask()
    publication.publish(house.ledger, house.governance)
    wait(timedelta(seconds=-5))
    entry = house.decide(asked, "owner")
    assert entry.time < house.ledger.entries()[-2].time == house.governance.recorded_at(house.ledger.entries()[-2])
    assert house.governance.recorded_at(entry) == entry.time
    assert state(house, asked) == "passed"
