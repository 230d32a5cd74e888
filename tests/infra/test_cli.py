"""The command line as a person meets it: bad input gets a clear error and exit code 2, and nothing is left behind."""

import errno
import json
import os
import re
import shlex
import shutil
from pathlib import Path

import pytest

from infra.cli import lazy_commands, shared
from tasks.core.errors import InputError
from tasks.core.files import write_json
from tasks.ledger.ledger import open_ledger
from tests import tiny_project
from tests.editing import edit
from tests.governed.house import keyed
from tests.in_process import hallmark
from tests.tiny_project import git


def test_a_path_that_is_not_theirs_is_told_in_words_and_a_defect_is_not() -> None:
    def verb(error: OSError) -> None:
        raise error

    with pytest.raises(InputError, match=r"/x: this path cannot be used \(Permission denied\)"):
        lazy_commands._with_path_errors_reported(verb)(error=PermissionError(errno.EACCES, "Permission denied", "/x"))
    for error in (OSError(errno.EIO, "Input/output error", "/x"), PermissionError(errno.EACCES, "Permission denied")):
        with pytest.raises(OSError, match=r"error|denied"):
            lazy_commands._with_path_errors_reported(verb)(error=error)


def test_params_are_checked_with_file_and_line(project: Path) -> None:
    assert "valid, use case tiny" in hallmark(project, "params", "check", "params.yaml")
    bad = project / ".hallmark" / "bad.yaml"
    bad.write_text((project / "params.yaml").read_text().replace("lora_rank: 4", "lora_rank: many"))
    told = hallmark(project, "params", "check", str(bad), code=2)
    assert "bad.yaml:" in told and "lora_rank" in told and "'many'" in told and "Traceback" not in told


def test_the_schema_is_json_with_a_description_of_every_key(project: Path) -> None:
    schema = json.loads(hallmark(project, "params", "schema"))
    assert "description" in schema["$defs"]["Training"]["properties"]["zero_stage"]


AS_PROCESSES = ("nosuch", "run --as risk-officer")
"""One that Typer refuses, and one that Hallmark does; the other mistakes are made in this process."""


@pytest.mark.parametrize(
    ("words", "code", "wanted"),
    [
        ("run", 2, "who are you? Say --as ID"),
        ("run --as stranger", 2, "'stranger' is nobody in people.yaml"),
        ("run --as ML-Engineer", 2, "'ML-Engineer' is nobody in people.yaml"),
        ("run --as data-owner", 2, "owns messages and would have to approve that at the data gate"),
        (
            "run --as risk-officer",
            1,
            "gate release wants 1 with role risk_officer, and 0 could decide; let somebody else ask for the run",
        ),
        ("run --as ml-engineer --set training.lora_rank", 2, "expected KEY=VALUE"),
        ("run --as ml-engineer --set nosuch.key=1", 2, "there is no section 'nosuch'"),
        ("run --as ml-engineer --set training.nosuch=1", 2, "unknown key"),
        ("run --as ml-engineer --set training.epochs=-1", 2, "greater than 0"),
        ("run --as ml-engineer --params none.yaml", 2, "none.yaml: no such file"),
        ("run --as ml-engineer --governance nowhere", 2, "no such file"),
        ("run --resume 20260101-000000-0000", 2, "there is no run"),
        ("run --resume r1 --set data.seed=2 --set data.seed=3", 2, "--set: run r1 goes on as it was"),
        ("run --resume r1 --params params.yaml", 2, "--params: run r1 goes on as it was asked for"),
        ("run --resume r1 --as ml-engineer --demo-approvals", 2, "--as, --demo-approvals: run r1"),
        ("run --resume r1 --governance mine", 2, "--governance: run r1 goes on as it was asked for"),
        ("runs show 20260101-000000-0000", 2, "there is no run"),
        ("gates show 20260101-000000-0000 data", 2, "has asked nothing"),
        ("releases show tiny-9", 2, "tiny-9"),
        ("releases verify nowhere", 2, "does not exist"),
        ("releases verify . --root ''", 2, "expected a fingerprint"),
        ("data conflicts --as data-owner", 2, "no run here has been through `deduplicate`"),
        ("data conflicts nosuch --as data-owner", 2, "run nosuch has no conflicts here"),
        ("data conflicts ../.. --as data-owner", 2, "there is no run '../..' here"),
        ("data labels --as data-owner", 2, "no run here has been through `split`"),
        ("data labels nosuch --as data-owner", 2, "run nosuch has no list of labels here"),
        ("evaluate errors --as data-owner", 2, "no run here has been through `evaluate`"),
        ("evaluate errors nosuch --as data-owner", 2, "run nosuch has no judged answers here"),
        ("evaluate errors nosuch --slice de --as data-owner", 2, "expected FIELD=VALUE"),
        ("evaluate errors nosuch --slice age=3 --as data-owner", 2, "'age' is no field of test rows"),
        ("evaluate errors nosuch --error odd --as data-owner", 2, "'odd' is not one of"),
        ("evaluate compare nosuch tiny-9", 2, "no release or run is called 'nosuch'; releases: none yet"),
        ("data expectations nosuch --as data-owner", 2, "run nosuch has checked no suite here"),
        ("data show 0 --run /tmp --reason r --as data-owner", 2, "there is no run '/tmp' here"),
        ("data quarantine", 2, "no run here has been through `ingest`"),
        ("data quarantine nosuch", 2, "run nosuch has put nothing aside here"),
        ("data quarantine ../..", 2, "there is no run '../..' here"),
        ("data show src:1 --run nosuch --reason r --as data-owner", 2, "has no records here"),
        ("data manifest ../one", 2, "there is no run '../one' here"),
        ("data find --subject ' ' --as data-owner --reason r", 2, "--subject is empty"),
        ("data adopt letters --as data-owner --reason x", 2, "'letters' is not in sources.yaml"),
        ("data adopt messages --as data-owner --reason ' '", 2, "say in words what you"),
        ("data adopt messages --as risk-officer --reason x", 1, "is adopted by data-owner, not by"),
        ("data adopt --as nobody --reason x", 2, "is nobody in people.yaml"),
        ("card adopt --as data-owner --reason x", 1, "card/tiny is adopted by product-owner, not by"),
        ("card adopt --params none.yaml --as product-owner --reason x", 2, "none.yaml"),
        ("code adopt no-such-commit --as risk-officer --reason x", 2, "is not a commit of"),
        ("code adopt --as risk-officer --reason ' '", 2, "say in words what you looked at"),
        ("code adopt --as data-owner --reason x", 1, "a version of the code is signed off by risk_officer"),
        ("code adopt --as nobody --reason x", 2, "is nobody in people.yaml"),
        ("nosuch", 2, "No such command"),
    ],
)
def test_a_mistake_is_told_without_traceback(project: Path, words: str, code: int, wanted: str) -> None:
    run = tiny_project.hallmark if words in AS_PROCESSES else hallmark
    told = run(project, *shlex.split(words), code=code)
    assert wanted in told and "Traceback" not in told


@pytest.mark.parametrize("given", ["../prefect/other", "a" * 300])
@pytest.mark.parametrize("verb", [["runs", "show"], ["run", "--resume"]])
def test_what_is_no_runs_id_is_told_whatever_lies_there(project: Path, verb: list[str], given: str) -> None:
    (project / ".hallmark" / "runs").mkdir(exist_ok=True)
    other = project / ".hallmark" / "prefect" / "other.json"
    write_json(other, {"api": "http://127.0.0.1:4200/api"})
    told = hallmark(project, *verb, given, code=2)
    assert f"there is no run '{given}' here" in told and "Traceback" not in told


def test_sources_that_are_away_are_told_before_anything_is_started(project: Path) -> None:
    """All at once, and with them what else cannot be opened."""
    other = shutil.copytree(project / "infra" / "governance", project / ".hallmark" / "elsewhere")
    text = (other / "sources.yaml").read_text()
    (entry,) = re.findall(r"^  - id: messages\n(?:    .*\n|      .*\n)+", text, re.M)
    more = entry.replace("id: messages", "id: folder")
    text = re.sub("location: .*", "location: gone.csv", text) + re.sub("location: .*", "location: tasks", more)
    (other / "sources.yaml").write_text(text)
    told = hallmark(project, "run", "--as", "ml-engineer", "--governance", str(other), code=2)
    assert "source messages: there is no gone.csv; correct its location in sources.yaml" in told
    assert "source folder: tasks is a folder" in told and "Traceback" not in told


def test_nothing_was_started_or_left_by_the_mistakes(project: Path) -> None:
    assert not open_ledger(project / ".hallmark").entries("run.requested")
    assert not (project / ".hallmark" / "prefect" / "up.json").exists()
    assert git(project, "for-each-ref", "refs/hallmark") == ""
    assert git(project, "worktree", "list").count("\n") == 0


def test_other_governance_files_count_in_environment_local_only(project: Path) -> None:
    other = shutil.copytree(project / "infra" / "governance", project / ".hallmark" / "other")
    text = (other / "people.yaml").read_text().replace("demo: true", "demo: false")
    (other / "people.yaml").write_text(keyed(text, project / ".hallmark"))
    edit(other / "policy.yaml", "environment: local", "environment: prod")
    told = hallmark(project, "run", "--as", "ml-engineer", "--governance", str(other), code=1)
    assert "count in environment local only" in told


def test_init_makes_keys_for_the_people_of_other_governance_files(project: Path) -> None:
    other = shutil.copytree(project / "infra" / "governance", project / ".hallmark" / "with-new-people")
    edit(other / "people.yaml", "id: risk-officer", "id: risk-two")
    before = sorted(path.name for path in (project / ".hallmark" / "keys").iterdir())
    hallmark(project, "init", "--governance", str(other))
    after = sorted(path.name for path in (project / ".hallmark" / "keys").iterdir())
    assert after == sorted([*before, "risk-two", "risk-two.pub"])
    edit(other / "policy.yaml", "environment: local", "environment: prod")
    assert "needs a key" in hallmark(project, "init", "--governance", str(other), code=2)


def test_a_mistake_in_other_governance_files_is_found_before_the_first_key_is_made(project: Path) -> None:
    fresh = project.parent / "fresh"
    git(project, "clone", "--quiet", str(project), str(fresh))
    other = shutil.copytree(fresh / "infra" / "governance", fresh / "other")
    edit(other / "people.yaml", "id: risk-officer", "id: [risk")
    assert "people.yaml" in hallmark(fresh, "init", "--governance", "other", code=2)
    assert not (fresh / ".hallmark" / "keys").exists()


def test_a_folder_that_is_no_project_is_told(tmp_path: Path) -> None:
    assert "not inside a Hallmark project" in hallmark(tmp_path, "status", code=2)


def test_a_folder_that_cannot_be_looked_up_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    here, gone = Path.cwd(), tmp_path / "gone"
    gone.mkdir()
    try:
        os.chdir(gone)
        gone.rmdir()
        with pytest.raises(InputError, match=r"this folder cannot be used \(No such file"):
            shared.checkout_root()
    finally:
        os.chdir(here)
    (tmp_path / "loop").symlink_to("loop")
    for root in ("a" * 5000, "a/" * 2045, str(tmp_path / "loop")):
        monkeypatch.setenv("HALLMARK_ROOT", root)
        with pytest.raises(InputError, match="this folder cannot be used") as told:
            shared.checkout_root()
        assert len(str(told.value)) < 500


def test_a_project_that_is_no_git_clone_is_told(project: Path, tmp_path: Path) -> None:
    for name in ("dvc.yaml", "params.yaml"):
        (tmp_path / name).write_text((project / name).read_text())
    assert "git init" in hallmark(tmp_path, "init", code=2)


@pytest.mark.parametrize("place", ["loop/file.csv", "loop", "a" * 300, "file/below", "none/file.csv"])
def test_a_place_that_cannot_be_written_is_told(tmp_path: Path, place: str) -> None:
    (tmp_path / "loop").symlink_to("loop")
    (tmp_path / "file").write_text("")
    with (
        pytest.raises(InputError, match=r"cannot be written \(\w"),
        shared.writable_path(tmp_path / place, None) as path,
    ):
        path.write_text("")


def test_a_folder_that_may_not_be_searched_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def forbidden(path: Path) -> bool:
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(path))

    monkeypatch.setattr(Path, "exists", forbidden)  # root may search any folder
    with pytest.raises(InputError, match=r"file\.csv: cannot be written \(Permission denied\)"):
        shared.writable_path(tmp_path / "file.csv", None).__enter__()
