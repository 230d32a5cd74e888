"""Which times have come, and what becomes of those that were missed."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from tasks.ledger.ledger import Ledger, open_ledger
from tasks.runs.request import RunRequest
from tasks.scheduling import due_times, occasion_entries
from tasks.scheduling.deployments_file import Deployments
from tasks.scheduling.deployments_in_force import DeploymentsInForce
from tasks.scheduling.occasion_entries import OccasionRequest
from tasks.scheduling.occasion_log import PASSED_OVER, TAKEN, OccasionLog
from tests.gates.test_reminders import clock

SINCE = datetime(2026, 3, 20, tzinfo=UTC)


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def standing(since: datetime = SINCE, **schedule: object) -> DeploymentsInForce:
    deployments = Deployments.model_validate({"schedules": {"nightly": schedule}})
    return DeploymentsInForce(deployments, None, {"nightly": since})


def signs(run: str) -> OccasionRequest:
    """Signing is another room's; here it counts which requests are made."""
    return OccasionRequest(RunRequest(run_id=run), {})


class Runner:
    """What a runner does with schedules, under a clock of the test's."""

    def __init__(self, ledger: Ledger, patch: pytest.MonkeyPatch) -> None:
        self.ledger, self.patch = ledger, patch

    def look(self, now: DeploymentsInForce, time: str, book: OccasionLog | None = None) -> list[tuple[str, str]]:
        """Kind and key of what was recorded; with a book of its own, as a runner that has just been started."""
        clock(at(time), self.patch)
        book = (book or OccasionLog()).update(self.ledger)
        done = []
        for each in due_times.due_occasions(now, book, self.ledger.now()):
            if each.skip_reason:
                entry = occasion_entries.record_passed_over(self.ledger, book, each.occasion, each.skip_reason)
            else:
                entry = occasion_entries.record_occasion(self.ledger, book, each.occasion, "here", signs)
            done += [(entry.kind, entry.subject)] if entry else []
        return done


@pytest.fixture
def runner(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Runner:
    return Runner(open_ledger(tmp_path), monkeypatch)


NIGHTLY = {"cron": "0 3 * * *", "timezone": "Europe/Berlin"}


def test_a_time_is_taken_once_however_often_one_looks(runner: Runner) -> None:
    now = standing(**NIGHTLY)
    assert runner.look(now, "2026-03-20 01:59:59") == []
    assert runner.look(now, "2026-03-20 02:00:00") == [(TAKEN, "nightly/2026-03-20T02:00:00Z")]
    for time in ("2026-03-20 02:00:01", "2026-03-20 02:09:00", "2026-03-20 20:00:00"):
        assert runner.look(now, time) == []
    assert runner.look(now, "2026-03-21 02:00:05") == [(TAKEN, "nightly/2026-03-21T02:00:00Z")]


@pytest.mark.parametrize(("missed", "kind"), [("skip", PASSED_OVER), ("latest", TAKEN)])
def test_what_passed_over_a_night_is_skipped_or_made_up_for_once(runner: Runner, missed: str, kind: str) -> None:
    now = standing(cron="0 */2 * * *", timezone="UTC", missed=missed)
    runner.look(now, "2026-03-20 22:00:01")
    assert runner.look(now, "2026-03-21 07:30:00") == [(kind, "nightly/2026-03-21T06:00:00Z")]
    entry = runner.ledger.entries(kind)[-1]
    assert entry.body["missed"] == "3", "midnight, two and four o'clock"
    assert entry.body["reason"] == "schedule nightly, due 2026-03-21 06:00 UTC, missed while nothing ran"
    if kind == PASSED_OVER:
        assert entry.body["why"] == "nothing asked for it within 10 minutes"
    assert runner.look(now, "2026-03-21 07:59:00") == []
    assert runner.look(now, "2026-03-21 08:00:00") == [(TAKEN, "nightly/2026-03-21T08:00:00Z")]


def test_a_runner_that_starts_anew_within_minutes_misses_nothing(runner: Runner) -> None:
    now = standing(**NIGHTLY, missed="skip")
    assert runner.look(now, "2026-03-20 02:09:59") == [(TAKEN, "nightly/2026-03-20T02:00:00Z")]


def test_thousands_of_missed_times_are_one_entry(runner: Runner) -> None:
    now = standing(every="1m", missed="skip")
    assert len(runner.look(now, "2026-03-25 00:20:30")) == 1, "the last minute is on time"
    entry = runner.ledger.entries(TAKEN)[-1]
    assert (entry.subject, entry.body["missed"]) == ("nightly/2026-03-25T00:20:00Z", "1,000 and more")


def test_a_clock_that_goes_back_asks_for_nothing_twice_and_then_goes_on(runner: Runner) -> None:
    now, book = standing(**NIGHTLY), OccasionLog()
    taken = (TAKEN, "nightly/2026-03-20T02:00:00Z")
    assert runner.look(now, "2026-03-20 02:00:10", book) == [taken]
    for time in ("2026-03-20 01:30:00", "2026-03-20 02:00:00", "2026-03-20 02:00:30"):
        assert runner.look(now, time, book) == [] == runner.look(now, time)
    assert runner.look(now, "2026-03-21 02:00:00", book) == [(TAKEN, "nightly/2026-03-21T02:00:00Z")]


def test_a_clock_that_was_years_ahead_does_not_end_a_schedule(runner: Runner) -> None:
    now = standing(**NIGHTLY, cool_down="1d")
    runner.look(now, "2031-01-01 02:00:10")
    assert runner.look(now, "2026-03-20 02:00:10") == [(TAKEN, "nightly/2026-03-20T02:00:00Z")]


def test_what_comes_within_the_cool_down_is_passed_over_once_with_the_reason(runner: Runner) -> None:
    now = standing(every="1h", cool_down="3h")
    assert [kind for kind, _ in runner.look(now, "2026-03-20 05:00:00")] == [TAKEN]
    for hour in ("06", "07"):
        assert [kind for kind, _ in runner.look(now, f"2026-03-20 {hour}:00:01")] == [PASSED_OVER]
        assert runner.look(now, f"2026-03-20 {hour}:00:03") == []
    why = runner.ledger.entries(PASSED_OVER)[-1].body["why"]
    assert why == "3h have not passed since the run of 2026-03-20 05:00 UTC"
    assert [kind for kind, _ in runner.look(now, "2026-03-20 08:00:00")] == [TAKEN]


def test_each_schedule_has_its_own_last_time(runner: Runner) -> None:
    both = {"early": {"cron": "0 1 * * *"}, "late": {"cron": "0 2 * * *"}}
    now = DeploymentsInForce(Deployments.model_validate({"schedules": both}), None, dict.fromkeys(both, SINCE))
    assert {key for _, key in runner.look(now, "2026-03-20 02:00:30")} == {"late/2026-03-20T02:00:00Z",
                                                                          "early/2026-03-20T01:00:00Z"}  # fmt: skip


def test_the_next_times_of_all_come_in_order() -> None:
    both = {"b": {"cron": "0 1 * * *"}, "a": {"every": "12h"}, "rests": {"every": "1m"}}
    deployments = Deployments.model_validate({"schedules": both})
    now = DeploymentsInForce(deployments, None, dict.fromkeys(both, SINCE), {"rests": None})
    begin = at("2026-03-20 00:30:00")
    assert [name for _, name in due_times.next_due_times(now, begin, 4)] == ["b", "a", "a", "b"]
    assert due_times.next_due_times(now, begin, 1)[0][0] - begin == timedelta(minutes=30)
