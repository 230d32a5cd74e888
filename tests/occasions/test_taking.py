"""One occasion makes one run: repeated, from two machines, after a crash."""

import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tasks.core.errors import InputError
from tasks.ledger.ledger import Ledger, open_ledger
from tasks.scheduling import occasion_entries, trigger_events
from tasks.scheduling.deployments_file import EventReported
from tasks.scheduling.occasion_entries import Occasion, OccasionRequest
from tasks.scheduling.occasion_log import PASSED_OVER, STARTED, TAKEN, OccasionLog
from tests.occasions.test_due import signs
from tests.soaking import soak

UPSTREAM = EventReported(on="event")


def event(key: str, trigger: EventReported = UPSTREAM) -> Occasion:
    return trigger_events.make_occasion("upstream", trigger, f"event/{key}", "the export is there")


@pytest.fixture
def ledger(tmp_path: Path) -> Ledger:
    return open_ledger(tmp_path)


@pytest.mark.parametrize("times", [500, *soak([10_000])])
def test_replays_make_one_run(ledger: Ledger, times: int) -> None:
    book = OccasionLog()
    entries = [occasion_entries.record_occasion(ledger, book, event("export-1"), "here", signs) for _ in range(times)]
    assert entries[0] is not None and not any(entries[1:])
    assert ledger.count_entries() == 1 and len(ledger.entries(TAKEN)) == 1


def test_two_machines_at_once_make_one_run(tmp_path: Path) -> None:
    open_ledger(tmp_path)
    ready = threading.Barrier(4)

    def machine(name: str) -> list[str]:
        own = open_ledger(tmp_path)
        ready.wait()
        entries = (
            occasion_entries.record_occasion(own, OccasionLog(), event(str(number)), name, signs)
            for number in range(20)
        )
        return [entry.subject for entry in entries if entry]

    with ThreadPoolExecutor(4) as pool:
        taken = [key for own in pool.map(machine, ["one", "two", "three", "four"]) for key in own]
    assert len(taken) == len(set(taken)) == 20 and len(open_ledger(tmp_path).entries(TAKEN)) == 20


def test_what_could_not_be_asked_for_is_not_taken(ledger: Ledger) -> None:
    def refuses(_: str) -> OccasionRequest:
        raise InputError("the private key of scheduler is wanted")

    with pytest.raises(InputError):
        occasion_entries.record_occasion(ledger, OccasionLog(), event("1"), "here", refuses)
    assert not ledger.count_entries()
    assert occasion_entries.record_occasion(ledger, OccasionLog(), event("1"), "here", signs)


def test_a_crash_before_prefect_heard_of_it_is_seen_by_its_own_machine(ledger: Ledger) -> None:
    entry = occasion_entries.record_occasion(ledger, OccasionLog(), event("1"), "here", signs)
    assert entry is not None
    (waiting,) = OccasionLog().update(ledger).pending_occasions("here")
    assert (waiting.key, waiting.run) == (entry.subject, entry.body["run"])
    assert not OccasionLog().update(ledger).pending_occasions("elsewhere"), "two would make two flow runs"
    book = OccasionLog()
    assert occasion_entries.record_started(ledger, book, waiting.key, waiting.run, "flow-run")
    assert occasion_entries.record_started(ledger, book, waiting.key, waiting.run, "flow-run") is None
    assert not book.pending_occasions("here") and not OccasionLog().update(ledger).pending_occasions("here")
    assert len(ledger.entries(STARTED)) == 1


def test_events_in_the_cool_down_are_passed_over_once(ledger: Ledger) -> None:
    trigger, book = EventReported(on="event", cool_down="1h"), OccasionLog()
    kinds = [
        occasion_entries.record_occasion(ledger, book, event(key, trigger), "here", signs)
        for key in ("1", "2", "2", "3")
    ]
    assert [entry and entry.kind for entry in kinds] == [TAKEN, PASSED_OVER, None, PASSED_OVER]
    assert OccasionLog().update(ledger).contains("upstream/event/2")


def test_nobody_is_asked_to_sign_what_is_passed_over(ledger: Ledger) -> None:
    trigger, book, asked = EventReported(on="event", cool_down="1h"), OccasionLog(), []

    def counting(run: str) -> OccasionRequest:
        asked.append(run)
        return signs(run)

    for key in ("1", "2", "1"):
        occasion_entries.record_occasion(ledger, book, event(key, trigger), "here", counting)
    assert len(asked) == 1


def test_a_book_reads_a_ledger_that_was_put_back(tmp_path: Path, ledger: Ledger) -> None:
    book = OccasionLog()
    for key in ("1", "2"):
        occasion_entries.record_occasion(ledger, book, event(key), "here", signs)
    assert book.update(ledger).count_taken("upstream") == 2
    older = open_ledger(tmp_path / "backup")
    occasion_entries.record_occasion(older, OccasionLog(), event("1"), "here", signs)
    assert book.update(older).count_taken("upstream") == 1 and not book.contains("upstream/event/2")
