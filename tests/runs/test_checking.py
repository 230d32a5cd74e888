"""One start shows every mistake of every file."""

import shutil
from functools import partial
from pathlib import Path

import pytest

from tasks.core.error_collector import ErrorCollector
from tasks.core.errors import InputError, Refused, Unavailable
from tasks.runs.requests import quick_checks
from tasks.stages.data.readers import content
from tests.checkouts import Checkouts
from tests.editing import changed, edit
from tests.in_process import hallmark
from tests.stages.data.build import source
from tests.tiny_project import commit

RUN = ("run", "--as", "ml-engineer", "--governance", "other")


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory, checkouts: Checkouts) -> Path:
    return checkouts.ready(tmp_path_factory.mktemp("checking") / "project")


@pytest.fixture
def other(project: Path) -> Path:
    """Governance files that may be spoilt."""
    folder = project / "other"
    shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(project / "infra" / "governance", folder)
    return folder


def test_mistakes_of_all_files_are_told_by_one_start(project: Path, other: Path) -> None:
    edit(other / "people.yaml", "name: Risk officer", "nam: Risk officer")
    edit(other / "policy.yaml", "max_days: 90", "max_days: many")
    edit(other / "expectations" / "messages.yaml", "expect_table_row_count_to_be_between", "expect_row_count")
    edit(other / "expectations" / "messages.yaml", "why: without", "because: without")
    edit(other / "sources.yaml", "prompt: text", "prompt: words")
    edit(other / "sources.yaml", "task: triage", "task: sorting")
    told = hallmark(project, *RUN, "--set", "training.epochs=-1", "--set", "training", code=2)
    for wanted in (
        "people.yaml:6: people.4.name: missing",
        "policy.yaml:13: tiers.limited.gates.data.waive.max_days",
        "messages.yaml:5: expectations.0.because: unknown key",
        "has no column 'words', which its mapping names",
        "--set training: expected KEY=VALUE",
        "this checkout has changes",
    ):
        assert wanted in told, told


def test_what_only_right_files_show_is_told_together_too(project: Path, other: Path) -> None:
    edit(other / "expectations" / "messages.yaml", "expect_table_row_count_to_be_between", "expect_table_row_cont")
    edit(other / "sources.yaml", "task: triage", "task: sorting")
    with changed(project / "params.yaml", lambda text: text.replace(b"product-owner", b"nobody")):
        told = hallmark(project, *RUN[:1], *RUN[3:], "--set", "training.epochs=-1", code=2)
        assert "who are you?" in told and "training.epochs" in told and "no expectation 'expect_table_row_cont'" in told
        told = hallmark(project, "params", "check", "params.yaml", "--governance", "other", code=2)
    assert "its task 'sorting' is not in params.yaml" in told
    assert "no expectation 'expect_table_row_cont'" in told
    assert "not in people.yaml: use_case.owners.business: nobody" in told


@pytest.mark.parametrize(("waived", "code"), [(True, 0), (False, 2)])
def test_a_check_of_more_rows_than_are_kept_is_told(project: Path, other: Path, waived: bool, code: int) -> None:
    if not waived:
        edit(other / "policy.yaml", "max_days: 90}", "max_days: 90, checks: [every expectation holds]}")
    with changed(project / "params.yaml", lambda text: text.replace(b"data: {", b"data: {train_rows: 1, ")):
        told = hallmark(project, "params", "check", "params.yaml", "--governance", "other", code=code)
    assert "rows, and data.train_rows in params.yaml keeps 1" in " ".join(told.split())
    assert ("may waive it" in told, "policy lets nobody waive it" in told) == (waived, not waived)


def test_right_files_are_found_right_and_one_mistake_is_told_alone(project: Path, other: Path) -> None:
    told = hallmark(project, "params", "check", "params.yaml", "--governance", "other")
    assert "params.yaml: valid, use case tiny" in told
    commit(project, "Others")
    told = hallmark(project, "run", "--as", "stranger", "--governance", "other", code=2)
    assert told.count("\n") == 1 and "'stranger' is nobody in people.yaml" in told


@pytest.mark.parametrize(
    ("data", "kind", "wanted"),
    [
        (b"", "csv", "is empty"),
        (b"text;label\na;b\n", "csv", "looks separated by"),
        (b'{"text": "a", "label": "b"}\n', "csv", "looks like JSON Lines"),
        (b'{"text": "a"}\n{"text": "b"}\n', "jsonl", "has no column 'label'"),
        (b"text,label\n\xfc,b\n", "csv", "set `encoding: cp1252`"),
        (b"PAR1 and nothing", "parquet", "is truncated"),
    ],
)
def test_the_beginning_of_a_source_shows_what_it_is(tmp_path: Path, data: bytes, kind: str, wanted: str) -> None:
    (tmp_path / "data").write_bytes(data)
    declared = source("data", kind=kind, mapping={"prompt": "text", "response": "label"})
    with pytest.raises(InputError, match=wanted):
        quick_checks.check_source(declared, partial(content.open_content, root=tmp_path))


def test_a_large_source_is_opened_and_left_to_the_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(quick_checks, "MAX_CHECKED_BYTES", 10)
    (tmp_path / "data").write_bytes(b"other,columns\na,b\n")
    declared = source("data", mapping={"prompt": "text", "response": "label"})
    quick_checks.check_source(declared, partial(content.open_content, root=tmp_path))


def test_the_expectations_known_by_their_files_are_those_of_the_library() -> None:
    from great_expectations.expectations.registry import list_registered_expectation_implementations

    from tasks.stages.data.validate.own_expectations import texts_hold_nothing_protected  # noqa: F401

    assert set(list_registered_expectation_implementations()) <= quick_checks.known_expectation_types()


def test_the_worst_kind_of_several_is_raised_and_one_stays_what_it_is() -> None:
    mistakes = ErrorCollector()
    mistakes.raise_errors()
    for error in (Unavailable("away"), Refused("no\n  since")):
        with mistakes.collect():
            raise error
    with pytest.raises(Refused, match=r"^away\nno\n  since$"):
        mistakes.raise_errors()
    mistakes.add_input_error("wrong\naway")
    with pytest.raises(InputError, match=r"^away\nno\n  since\nwrong$"):
        mistakes.raise_errors()
