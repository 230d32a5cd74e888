"""`hallmark runs list` and the runs of `hallmark status`."""

import json
from pathlib import Path

import pytest

from tasks.runs import journal
from tasks.runs.journal import GateState, Journal, StageState
from tests.in_process import hallmark, hallmark_json, run_command
from tests.runs.test_run_list import make_run

WAITS_FOR = "1 approval in role risk_officer, of risk-officer"


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A checkout with 24 runs, the ids of which are in another order than their times."""
    folder = tmp_path_factory.mktemp("project")
    for name in ("dvc.yaml", "params.yaml"):
        (folder / name).touch()
    state = folder / ".hallmark"
    state.mkdir(mode=0o700)
    stages = {"split": StageState(state="done", seconds=2.5), "train": StageState(state="done", seconds=90)}
    gates = {"data": GateState(state="passed"), "release": GateState(state="waiting", waiting_for=[WAITS_FOR])}
    for number in range(21):
        make_run(state, f"old-{99 - number}", 1000 + number, use_case="triage", stages=stages, release="triage-7")
    make_run(state, "waits", 1772000000, use_case="tiny", status="waiting", stages=stages, gates=gates)
    make_run(state, "failed", 1772000060, use_case="tiny", status="failed", error="first\nthe accuracy is too low")
    make_run(state, "broken", 1772000120)
    journal.journal_path(state, "broken").write_text("[]")
    return folder


def line_of(text: str, run: str) -> str:
    (line,) = (line for line in text.splitlines() if line.startswith(f"{run} "))
    return " ".join(line.split())


def test_a_line_says_who_asked_when_it_began_and_what_the_run_waits_for(project: Path) -> None:
    shown = hallmark(project, "runs", "list")
    assert [line.split()[0] for line in shown.splitlines()[:5]] == ["run", "broken", "failed", "waits", "old-79"]
    assert line_of(shown, "waits") == (
        f"waits tiny waiting ml-engineer 2026-02-25 06:13 1 min 32 s release gate: {WAITS_FOR}"
    )
    assert line_of(shown, "failed") == "failed tiny failed ml-engineer 2026-02-25 06:14 the accuracy is too low"
    assert line_of(shown, "old-79") == "old-79 triage promoted ml-engineer 1970-01-01 00:17 1 min 32 s triage-7"
    assert "cannot be read as the journal of a run" in line_of(shown, "broken")


def test_twenty_runs_are_shown_and_the_others_counted(project: Path) -> None:
    shown = hallmark(project, "runs", "list").splitlines()
    assert len(shown) == 22 and shown[-1] == "and 4 older runs; --limit 0 shows all"
    assert hallmark(project, "runs", "list", "--limit", "23").endswith("and 1 older run; --limit 0 shows all\n")
    everything = hallmark(project, "runs", "list", "--limit", "0")
    assert len(everything.splitlines()) == 25 and "older" not in everything


def test_options_filter_by_use_case_and_status(project: Path) -> None:
    shown = hallmark(project, "runs", "list", "--use-case", "tiny", "--status", "waiting").splitlines()
    assert [line.split()[0] for line in shown] == ["run", "waits"]
    assert hallmark(project, "runs", "list", "--state", "unreadable").splitlines()[1].startswith("broken ")
    assert hallmark(project, "runs", "list", "--use-case", "other") == "no run fits\n"


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        (["--status", "parked"], "--status parked: no run has this status; expected one of running, waiting, "),
        (["--use-case", "Tiny Case"], "--use-case Tiny Case: no use case has this name; expected lower-case letters"),
        (["--limit", "-1"], "'--limit'"),
        (["--limit", "many"], "'--limit'"),
    ],
)
def test_a_wrong_option_is_told(project: Path, options: list[str], expected: str) -> None:
    assert expected in hallmark(project, "runs", "list", *options, code=2)


def test_the_document_has_all_of_a_journal_and_what_a_line_says(project: Path) -> None:
    done = run_command(project, ("runs", "list", "--use-case", "triage", "--limit", "2", "--json"))
    assert done.stderr == "and 19 older runs; --limit 0 shows all\n"
    newest, second = json.loads(done.stdout)
    assert (newest["run"], second["run"]) == ("old-79", "old-80")
    assert {*Journal.model_fields} < newest.keys()
    assert (newest["began"], newest["seconds"]) == ("1970-01-01T00:17:00+00:00", 92.5)
    (waits,) = hallmark_json(project, "runs", "list", "--status", "waiting")
    assert (waits["activity"], waits["damage"]) == (f"release gate: {WAITS_FOR}", "")
    (broken,) = hallmark_json(project, "runs", "list", "--status", "unreadable")
    assert "cannot be read as the journal of a run" in broken["damage"]


def test_status_shows_the_last_runs_and_its_document_has_all(project: Path) -> None:
    shown = hallmark(project, "status").splitlines()
    assert [line.split()[0] for line in shown[-4:]] == ["waits", "failed", "broken", "4"]
    assert shown[-1] == "4 earlier runs: hallmark runs list" and len(shown) == 2 + 1 + 20 + 1
    assert [run["run"] for run in hallmark_json(project, "status")][-3:] == ["waits", "failed", "broken"]


def test_a_checkout_without_runs_says_how_to_start_one(tmp_path: Path) -> None:
    for name in ("dvc.yaml", "params.yaml"):
        (tmp_path / name).touch()
    assert hallmark(tmp_path, "runs", "list") == "no runs yet: hallmark run\n"
    assert hallmark_json(tmp_path, "runs", "list") == []
