"""The journals of all runs, in the order in which the runs were made."""

import os
import shutil
from pathlib import Path

import pytest

from tasks.core.files import write_json
from tasks.core.layout import Layout
from tasks.runs import abbreviated_ids, journal
from tasks.runs.journal import GateState, Journal, StageState
from tasks.runs.reporting.summary import summarise_run

RUN = "20260101-000000-abcd"


def made(state: Path, run: str, at: int, resolved: bool = True) -> None:
    journal.write_journal(state, Journal(run=run, requested_by="ml-engineer"))
    file = Layout(state / "runs" / run).sources_path if resolved else journal.journal_path(state, run)
    if resolved:
        write_json(file, {})
    os.utime(file, (at, at))


def test_the_newest_run_is_the_one_made_last_whatever_its_name(tmp_path: Path) -> None:
    made(tmp_path, "zz", 1)
    made(tmp_path, "20260303-120000-a1b2", 3)
    made(tmp_path, "broken-off", 2, resolved=False)
    journal.write_journal(tmp_path, Journal(run="zz", requested_by="ml-engineer", status="failed"))
    assert [line.run for line in journal.read_journals(tmp_path)] == ["zz", "broken-off", "20260303-120000-a1b2"]


ODD = ("RUN (copy).json", "UPPER.json", "20260101-000000-beef\u202e.json", "a\nb.json", ".json", "-x.json")


@pytest.mark.attack(rights="worker", stopped="a file that is no run's is passed over, a broken journal told")
def test_an_odd_file_takes_no_run_away(tmp_path: Path) -> None:
    made(tmp_path, RUN, 1)
    for name in ODD:
        (tmp_path / "runs" / name).write_text("{}")
    (tmp_path / "runs" / "folder.json").mkdir()
    (tmp_path / "runs" / "nowhere.json").symlink_to("nothing")
    os.mkfifo(tmp_path / "runs" / "pipe.json")
    (tmp_path / "runs" / "20260105-000000-feed.json").write_text("{")
    (tmp_path / "runs" / "20260106-000000-feed.json").write_bytes(
        b"\xff" + journal.journal_path(tmp_path, RUN).read_bytes()
    )
    shutil.copy(journal.journal_path(tmp_path, RUN), journal.journal_path(tmp_path, "20260107-000000-feed"))
    known = {RUN: "interrupted"} | {f"2026010{day}-000000-feed": "unreadable" for day in (5, 6, 7)}
    assert {line.run: line.status for line in journal.read_journals(tmp_path)} == known
    assert [line.run for line in journal.read_newest_journals(tmp_path, 9)] == sorted(known, reverse=True)
    assert abbreviated_ids.expand_run_id(tmp_path, "20260101") == RUN
    cut, copied = (journal.read_journal(tmp_path, f"2026010{day}-000000-feed") for day in (5, 7))
    assert cut and cut.error and "cannot be read as the journal of a run" in cut.error and not cut.is_finished
    assert copied and copied.error and "is the journal of another run" in copied.error


def test_a_run_that_stopped_at_a_gate_which_still_waits_has_not_failed_for_good(tmp_path: Path) -> None:
    """`hallmark gates list` says that the gate waits, for a waiver; where it is closed, the run has failed."""
    waits = {"data": GateState(state="passed"), "evaluation": GateState(state="waiting", waiting_for=["a waiver"])}
    stopped = Journal(run="one", requested_by="ml-engineer", status="failed", gates=waits)
    journal.write_journal(tmp_path, stopped)
    assert stopped.status_in_words == "stopped, the evaluation gate waits"
    summary = summarise_run(tmp_path, "one")
    assert summary and (summary.status_in_words, summary.status) == (stopped.status_in_words, "failed")
    closed = stopped.model_copy(update={"gates": {"evaluation": GateState(state="rejected")}})
    assert closed.status_in_words == "failed"


def test_the_activity_of_a_run_is_its_stage_with_its_progress_or_what_it_waits_for() -> None:
    at_work = Journal(
        run="one",
        requested_by="ml-engineer",
        stages={"split": StageState(state="done"), "train": StageState(state="running", progress="step 3 of 9")},
    )
    assert at_work.activity == "train: step 3 of 9"
    assert at_work.model_copy(update={"stages": {"train": StageState(state="running")}}).activity == "train"
    assert at_work.model_copy(update={"doing": "packaging"}).activity == "packaging"
    waits = {"release": GateState(state="waiting", waiting_for=["1 approval in role risk_officer"])}
    waiting = Journal(run="one", requested_by="ml-engineer", status="waiting", gates=waits)
    assert waiting.activity == "release gate: 1 approval in role risk_officer"
