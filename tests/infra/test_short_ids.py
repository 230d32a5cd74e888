"""A run by a part of its id, and the gate that is open where none is named."""

from pathlib import Path

import pytest

from flows import lifecycle
from tasks.core.errors import InputError
from tasks.runs import abbreviated_ids, journal
from tasks.runs.journal import Journal
from tasks.runs.request import RunRequest, new_run_id
from tests.governed.house import put_result
from tests.in_process import hallmark, hallmark_json
from tests.infra.test_gates import RUN, ask
from tests.tiny_project import create

OTHER = "20260101-000000-beef"


@pytest.fixture(scope="module")
def waiting(project: Path) -> Path:
    """A run that waits at its release gate, and one that waits at none."""
    run = create(project, RUN)
    put_result(run.layout.artefacts("package"))
    ask(project)
    for one, status in ((RUN, "waiting"), (OTHER, "failed")):
        told = Journal(run=one, requested_by="ml-engineer", use_case="tiny", status=status)
        journal.write_journal(project / ".hallmark", told)
    return project


@pytest.mark.parametrize("part", ["abcd", "-abcd", "20260101-000000-a", RUN])
def test_a_run_is_found_by_what_it_alone_begins_or_ends_with(waiting: Path, part: str) -> None:
    assert abbreviated_ids.expand_run_id(waiting / ".hallmark", part) == RUN


@pytest.mark.parametrize("part", ["bcd", "000000", "ABCD", "../runs", "zzzz", "", "x" * 5000])
def test_what_fits_no_run_stays_what_was_said(waiting: Path, part: str) -> None:
    """Three characters are too few, the middle of an id does not count, and what is no id at all leads nowhere."""
    assert abbreviated_ids.expand_run_id(waiting / ".hallmark", part) == part


def test_a_part_of_several_names_them_all(waiting: Path) -> None:
    told = hallmark(waiting, "runs", "show", "20260101", code=2)
    assert "'20260101' begins or ends the ids of 2 runs; give more of one:" in told
    assert f"{RUN}  tiny, waiting" in told and f"{OTHER}  tiny, failed" in told


@pytest.mark.parametrize("of_run", [["runs", "show"], ["gates", "show"], ["ledger", "list", "--run"]])
def test_commands_take_a_part_of_an_id(waiting: Path, of_run: list[str]) -> None:
    assert RUN in hallmark(waiting, *of_run, "abcd")


def test_an_id_that_is_the_beginning_of_another_is_itself(waiting: Path) -> None:
    journal.write_journal(waiting / ".hallmark", Journal(run="beef", requested_by="ml-engineer"))
    assert abbreviated_ids.expand_run_id(waiting / ".hallmark", "beef") == "beef"
    journal.journal_path(waiting / ".hallmark", "beef").unlink()


@pytest.mark.attack(rights="approver", stopped="no run is called as a part of another's id")
@pytest.mark.parametrize(
    "name", ["abcd", "0-abcd", "20260101", "2027", "20270101-", "dead", "taken-20260101-000000-abcd"]
)
def test_no_run_is_called_as_a_part_of_another(waiting: Path, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HALLMARK_ROOT", str(waiting))
    with pytest.raises(InputError, match=f"a run cannot be called '{name}'"):
        create(waiting, name)
    with (
        pytest.raises(InputError, match="a run cannot be called"),
        lifecycle.run_lifecycle(RunRequest(run_id=name), None),
    ):
        raise AssertionError("it began")
    assert name not in journal.run_ids(waiting / ".hallmark"), "nor does what failed keep the name"
    assert abbreviated_ids.expand_run_id(waiting / ".hallmark", "abcd") == RUN


def test_ids_that_are_given_out_are_free_whatever_runs_are_called(tmp_path: Path) -> None:
    """Else whoever takes a name would keep the runs of a day from beginning."""
    for one in ("2027", "20270101", "ab12", "weekly"):
        journal.write_journal(tmp_path, Journal(run=one, requested_by="ml-engineer"))
    for given in ("20270101-000000-ab12", "20270101-000000-0000ab12", new_run_id(), "week", "abc", "letters"):
        if given == "week":
            with pytest.raises(InputError, match="there is run weekly"):
                abbreviated_ids.require_unambiguous_id(tmp_path, given)
        else:
            abbreviated_ids.require_unambiguous_id(tmp_path, given)


@pytest.mark.parametrize("words", [[], ["release"], ["abcd"], ["abcd", "release"]])
def test_the_open_gate_of_the_one_run_that_waits_is_meant(waiting: Path, words: list[str]) -> None:
    told = hallmark(waiting, "gates", "show", *words)
    assert "1 in role risk_officer" in " ".join(told.split())
    assert (f"the release gate of run {RUN}, which is open" in told) == (len(words) < 2)


def test_no_gate_is_taken_for_another(waiting: Path) -> None:
    assert "no run waits at the data gate" in hallmark(waiting, "gates", "show", "data", code=2)
    told = hallmark(waiting, "gates", "approve", "beef", "--as", "risk-officer", "--reason", "fine", code=2)
    assert f"run {OTHER} has asked at no gate; `hallmark gates list --all` shows those that have" in told


def test_of_several_runs_that_wait_one_is_named(project: Path, waiting: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tests.infra.test_gates.RUN", "20260101-000000-cafe")
    create(project, "20260101-000000-cafe")
    ask(project)
    told = hallmark(project, "gates", "show", code=2)
    assert f"2 runs wait at a gate; say which one, or its last four characters:\n  {RUN} release" in told
    said = hallmark_json(project, "gates", "approve", "cafe", "--as", "risk-officer", "--reason", "fine")
    assert (said["run"], said["gate"], said["state"]) == ("20260101-000000-cafe", "release", "passed")
