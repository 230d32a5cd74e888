"""The list of runs: newest first, filtered, and with what is damaged."""

import os
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from tasks.core.files import write_json
from tasks.core.layout import Layout
from tasks.runs import journal, run_list
from tasks.runs.journal import Journal
from tasks.runs.run_list import ListedRun, RunFilter
from tasks.runs.run_lock import hold_run_lock


def make_run(state: Path, run: str, at: int, **said: Any) -> Layout:
    """Make the files of a run that was resolved at the Unix time `at`."""
    layout = Layout(state / "runs" / run)
    journal.write_journal(state, Journal(run=run, **{"requested_by": "ml-engineer", "status": "promoted"} | said))
    for path in (layout.sources_path, layout.request_path):
        write_json(path, {})
    os.utime(layout.sources_path, (at, at))
    return layout


@pytest.fixture
def state(tmp_path: Path) -> Path:
    """Runs of two use cases. The order of their ids is another than the order in which they were made."""
    make_run(tmp_path, "zulu", 100, use_case="triage", status="failed")
    make_run(tmp_path, "20260303-120000-a1b2", 200, use_case="tiny", status="waiting")
    make_run(tmp_path, "alpha", 300, use_case="triage", status="waiting")
    make_run(tmp_path, "mike", 400, use_case="triage", status="running")
    make_run(tmp_path, "20260101-120000-c3d4", 500, use_case="tiny", status="promoted")
    return tmp_path


def ids(listed: run_list.RunList) -> list[str]:
    return [each.journal.run for each in listed.runs]


def test_the_run_that_was_made_last_is_first_whatever_its_name(state: Path) -> None:
    listed = run_list.list_runs(state)
    assert ids(listed) == ["20260101-120000-c3d4", "mike", "alpha", "20260303-120000-a1b2", "zulu"]
    assert [each.began for each in listed.runs][-1] == datetime.fromtimestamp(100, UTC)
    assert listed.more == 0 and not any(each.damage for each in listed.runs)


@pytest.mark.parametrize(
    ("wanted", "limit", "names", "more"),
    [
        (RunFilter(), 2, ["20260101-120000-c3d4", "mike"], 3),
        (RunFilter(), 5, ["20260101-120000-c3d4", "mike", "alpha", "20260303-120000-a1b2", "zulu"], 0),
        (RunFilter(use_case="triage"), 0, ["mike", "alpha", "zulu"], 0),
        (RunFilter(use_case="triage"), 1, ["mike"], 2),
        (RunFilter(status="waiting"), 9, ["alpha", "20260303-120000-a1b2"], 0),
        (RunFilter("tiny", "waiting"), 9, ["20260303-120000-a1b2"], 0),
        (RunFilter(status="interrupted"), 9, ["mike"], 0),
        (RunFilter(status="running"), 9, [], 0),
        (RunFilter(use_case="none"), 1, [], 0),
    ],
)
def test_the_newest_runs_that_fit_are_listed_and_the_others_counted(
    state: Path, wanted: RunFilter, limit: int, names: list[str], more: int
) -> None:
    """No process executes the run that says `running`: it is interrupted."""
    listed = run_list.list_runs(state, wanted, limit)
    assert (ids(listed), listed.more) == (names, more)


def test_without_a_filter_no_other_journal_is_read(state: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    read, whole = [], journal.read_journal
    monkeypatch.setattr(journal, "read_journal", lambda state, run: read.append(run) or whole(state, run))
    assert run_list.list_runs(state, limit=1).more == 4
    assert read == ["20260101-120000-c3d4"]


def test_a_checkout_without_runs_has_an_empty_list(tmp_path: Path) -> None:
    assert run_list.list_runs(tmp_path) == ([], 0)


def listed_run(state: Path, run: str) -> ListedRun:
    (found,) = (each for each in run_list.list_runs(state).runs if each.journal.run == run)
    return found


def test_a_damaged_run_is_listed_with_its_problem_beside_the_others(state: Path) -> None:
    journal.journal_path(state, "zulu").write_text("{")
    journal.journal_path(state, "alpha").unlink()
    Layout(state / "runs" / "20260303-120000-a1b2").request_path.unlink()
    (state / "runs" / "mike.lock").symlink_to("mike.lock")
    make_run(state, "gone", 600).root.rename(state / "elsewhere")
    make_run(state, "looped", 700).inputs_folder.rename(state / "inputs")
    (state / "runs" / "looped" / "inputs").symlink_to("inputs")
    make_run(state, "no-folder", 800).root.rename(state / "others")
    (state / "runs" / "no-folder").write_text("")
    problems = {run: listed_run(state, run).damage for run in ids(run_list.list_runs(state))}
    folder = state / "runs"
    assert problems.pop("20260101-120000-c3d4") == ""
    assert {run: text.partition(";")[0] for run, text in problems.items()} == {
        "zulu": f"{folder}/zulu.json cannot be read as the journal of a run",
        "alpha": f"{folder}/alpha.json is missing",
        "20260303-120000-a1b2": f"damaged: {folder}/20260303-120000-a1b2/inputs/request.json is missing or cannot be "
        "read",
        "mike": f"{folder}/mike.lock cannot be read (Too many levels of symbolic links)",
        "gone": f"damaged: {folder}/gone is missing or cannot be read",
        "looped": f"damaged: {folder}/looped/inputs/request.json is missing or cannot be read",
        "no-folder": f"damaged: {folder}/no-folder is missing or cannot be read",
    }
    unreadable = {each.journal.run for each in run_list.list_runs(state, RunFilter(status="unreadable")).runs}
    assert unreadable == {"zulu", "alpha", "mike"}, "of the others the journal says how they ended"


def test_a_run_whose_worktree_another_process_fetches_has_no_journal_yet(state: Path) -> None:
    journal.journal_path(state, "alpha").unlink()
    with hold_run_lock(state, "alpha"):
        assert "alpha" not in ids(run_list.list_runs(state))
    assert "`hallmark run --resume alpha`" in listed_run(state, "alpha").damage


def test_a_run_that_failed_before_it_had_a_worktree_is_not_damaged(tmp_path: Path) -> None:
    journal.write_journal(tmp_path, Journal(run="early", requested_by="ml-engineer", status="failed", error="no"))
    assert (listed_run(tmp_path, "early").damage, listed_run(tmp_path, "early").began) == ("", None)


def test_what_is_no_run_is_passed_over(state: Path) -> None:
    (state / "runs" / "A folder").mkdir()
    (state / "runs" / "away").symlink_to(state)
    (state / "runs" / "UPPER.json").write_text("{}")
    os.mkfifo(state / "runs" / "pipe.json")
    assert len(ids(run_list.list_runs(state))) == 5 and run_list.list_runs(state, limit=4).more == 1
