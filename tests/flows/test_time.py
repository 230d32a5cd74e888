"""What the watch does once a minute: one thing that is bad keeps no other from being done."""

from datetime import timedelta
from pathlib import Path

import pytest

from flows.partial_work import PartialFailure, PartialWork
from flows.watch import local_periodic_work, shared_periodic_work
from tasks.gates import cases
from tasks.ledger.ledger import Entry, open_ledger
from tasks.registry.admit import ledger_rollback, outbox
from tasks.registry.release import promotions
from tests.checkouts import Checkouts
from tests.flows.test_parked import RUNS, ask
from tests.gates.test_reminders import clock
from tests.registry.test_admission import RECORD


@pytest.fixture
def project(tmp_path: Path, checkouts: Checkouts) -> Path:
    return checkouts.ready(tmp_path / "project")


def passes(project: Path) -> tuple[list[str], list[str]]:
    """What was done and what failed, on a machine that has the lease."""
    parts = PartialWork()
    parts.attempt("own", lambda: local_periodic_work(project))
    parts.attempt("all", lambda: shared_periodic_work(project))
    with pytest.raises(PartialFailure) as told:
        parts.finish()
    return told.value.done, told.value.failed


@pytest.mark.attack(rights="database", stopped="what cannot be read is told, and the rest is looked at all the same")
def test_one_bad_row_or_file_stops_nothing_that_time_brings(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    ledger, kept = open_ledger(project / ".hallmark"), project / ".hallmark" / outbox.OUTBOX_FOLDER
    ledger.append(cases.ASKED, "run-x", {"gate": "data"}, b"junk")
    ask(project, ledger, RUNS[0])
    ledger.append(ledger_rollback.ENTRY_KIND, "triage", {"release": "any words"})
    outbox.store_record(project / ".hallmark", "1-whole", ledger_rollback.ENTRY_KIND, "triage", RECORD)
    (kept / "0-torn.json").write_text("{")

    clock(ledger.now() + timedelta(days=400), monkeypatch)
    done, failed = passes(project)
    assert [line.partition(":")[0] for line in done] == ["admission", "gate.closed", "incident.opened"]
    torn, row, words = failed
    assert "0-torn.unreadable" in torn and "run run-x is reminded of nothing" in row and "opens no incident" in words
    assert [path.name for path in kept.iterdir()] == ["0-torn.unreadable"]

    assert passes(project) == ([], failed), "the watch says it once"


def test_a_step_that_fails_is_told_and_the_others_are_done(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    ledger = open_ledger(project / ".hallmark")
    looked_at: list[str] = []
    ledger.append(ledger_rollback.ENTRY_KIND, "triage", RECORD)
    for name in ("lost", "triage"):
        ledger.append(promotions.PROMOTION_KIND, name, {})

    def broken(name: str, *_: object) -> list[Entry]:
        looked_at.append(name)
        raise KeyError("a defect")

    monkeypatch.setattr("tasks.registry.promote.waivers.open_incidents", broken)
    with pytest.raises(PartialFailure, match=r"waivers of lost: KeyError.*; waivers of triage: KeyError") as told:
        shared_periodic_work(project)
    assert looked_at == ["lost", "triage"], "one model's failure keeps nobody from the next"
    assert [line.partition(":")[0] for line in told.value.done] == ["incident.opened"]
