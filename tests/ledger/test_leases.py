"""Leases: one holder, a successor once a term is over, and clocks that are wrong; in SQLite and Postgres."""

import os
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import text

from tasks.ledger import leases
from tasks.ledger.leases import LEASE_DURATION, LEASES, LeaseKeeper, Leases, open_leases
from tasks.ledger.ledger import open_ledger
from tests.governed.postgres import new_database


@pytest.fixture(params=["sqlite", "postgres"])
def state(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Of a ledger that is there already."""
    if request.param == "postgres":
        found = new_database(request.getfixturevalue("postgres"))
        monkeypatch.setenv("HALLMARK_LEDGER_URL", found)
    open_ledger(tmp_path).append("kind", "subject", {})
    return tmp_path


def shift(found: Leases, by: timedelta, name: str = "watch") -> None:
    """As the row is for somebody whose time is `by` later than now."""
    lease, _ = found.read_lease(name)
    assert lease is not None
    earlier = {"since": (lease.since - by).isoformat(), "until": (lease.until - by).isoformat()}
    with found._engine.begin() as connection:
        connection.execute(LEASES.update().where(LEASES.c.name == name).values(**earlier))


def test_one_has_it_and_another_only_once_its_term_is_over(state: Path) -> None:
    found, other = open_leases(state), open_leases(state)
    assert found.read_lease("watch")[0] is None, "reading makes no table"
    first = found.acquire("watch", "one", "machine one")
    assert first.owner == "one" and other.acquire("watch", "two", "machine two") == first
    again = found.acquire("watch", "one", "machine one")
    assert again.since == first.since and again.until > first.until
    assert other.acquire("another", "two", "machine two").owner == "two", "each name is a lease of its own"

    shift(found, LEASE_DURATION + timedelta(seconds=1))
    later = other.acquire("watch", "two", "machine two")
    assert later.owner == "two" and later.since > first.since
    assert found.acquire("watch", "one", "machine one") == later, "whoever comes back is told who has it"
    other.release("watch", "one")
    assert found.acquire("watch", "one", "machine one").owner == "two", "nobody lets go of another's"
    other.release("watch", "two")
    assert found.acquire("watch", "one", "machine one").owner == "one"
    assert open_ledger(state).count_entries() == 1, "nothing of it is an entry"


def test_of_many_at_once_one_has_it(state: Path) -> None:
    def take(number: int) -> str:
        return open_leases(state).acquire("watch", f"machine {number}", f"machine {number}").owner

    with ThreadPoolExecutor(6) as pool:
        assert len(set(pool.map(take, range(6)))) == 1


def test_a_lease_from_a_clock_that_was_ahead_keeps_nobody_waiting(state: Path) -> None:
    """As one stands there whose holder's machine was put back by a day since, or that somebody wrote by hand."""
    found = open_leases(state)
    found.acquire("watch", "one", "machine one")
    shift(found, -timedelta(days=1))
    assert found.acquire("watch", "two", "machine two").owner == "two"
    for wrong in ("no time", "2026-01-01T00:00:00", "9999-12-31T23:59:59-12:00"):
        with found._engine.begin() as connection:
            connection.execute(text("UPDATE hallmark_leases SET until = :until"), {"until": wrong})
        assert found.acquire("watch", "one", "machine one").owner == "one"
        found.release("watch", "one")


def test_a_machine_whose_clock_is_wrong_asks_the_database(state: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    found = open_leases(state)
    first = found.acquire("watch", "one", "machine one")

    class Behind(datetime):
        @classmethod
        def now(cls, tz=None):  # type: ignore[no-untyped-def]
            return datetime.now(tz) - timedelta(hours=3)

    monkeypatch.setattr(leases, "datetime", Behind)
    told = found.acquire("watch", "two", "machine two")
    if found._engine.dialect.name == "postgresql":
        assert told == first, "its own clock counts nowhere"
    else:
        assert told.owner == "two", "all processes of SQLite share the clock: it went back for the first as well"
        monkeypatch.undo()
        assert found.acquire("watch", "one", "machine one").owner == "one", "and forward: the second's is over"


def test_a_process_knows_whether_it_still_has_it(state: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    mine, theirs = (LeaseKeeper(open_leases(state), "watch", f"{number}" * 8) for number in (1, 2))
    assert not mine.is_held
    assert mine.renew().place.endswith(f"process {os.getpid()}") and mine.is_held
    assert theirs.renew().owner.startswith("11111111/") and not theirs.is_held
    asleep = leases._clock() + LEASE_DURATION.total_seconds()
    monkeypatch.setattr(leases, "_clock", lambda: asleep)
    assert not mine.is_held, "as one finds that was stopped for longer than its term"
    monkeypatch.undo()
    mine.release()
    assert theirs.renew().owner.startswith("22222222/") and theirs.is_held and not mine.is_held


def test_how_far_they_have_come_never_goes_back(state: Path) -> None:
    found = open_leases(state)
    assert found.read_position("notices") is None
    for seq in (5, 3, 7):
        found.advance_position("notices", seq)
    assert found.read_position("notices") == 7
    assert found.acquire("notices", "one", "machine one").owner == "one" and found.read_position("notices") == 7
    assert (datetime.now(UTC) - found.read_lease("notices")[1]) < timedelta(minutes=1)


@pytest.mark.skipif(
    leases.SUSPEND_AWARE_CLOCK is None, reason="this system has no clock that goes on in a suspended machine"
)
def test_a_machine_that_was_suspended_has_lost_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its monotonic clock stood still meanwhile."""
    turn = LeaseKeeper(open_leases(tmp_path), "watch", "1" * 8)
    turn.renew()
    read = leases.time.clock_gettime
    monkeypatch.setattr(
        leases.time, "clock_gettime", lambda clock: read(clock) + 31 * (clock == leases.SUSPEND_AWARE_CLOCK)
    )
    assert not turn.is_held


def test_what_is_no_number_counts_as_further_than_any_ledger_until_it_is_taken_back(state: Path) -> None:
    found = open_leases(state)
    found.advance_position("notices", 5)
    wrong = "'abc'" if found._engine.dialect.name == "sqlite" else "4611686018427387904"
    with found._engine.begin() as connection:
        connection.execute(text(f"UPDATE hallmark_leases SET come = {wrong}"))
    assert (found.read_position("notices") or 0) >= 2**62
    found.reset_position("notices", 3)
    found.advance_position("notices", 4)
    assert found.read_position("notices") == 4
