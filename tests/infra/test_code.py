"""`hallmark code` on the command line, and runs outside environment local, which are made of signed-off code alone."""

from pathlib import Path

import pytest

from tests import in_process
from tests.checkouts import Checkouts
from tests.tiny_project import commit, git


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory, checkouts: Checkouts) -> Path:
    return checkouts.ready(tmp_path_factory.mktemp("project") / "project")


def test_a_version_is_signed_off_listed_and_taken_back(project: Path) -> None:
    listed = in_process.hallmark_json(project, "code", "list")
    (head,) = listed["versions"]
    assert (head["commit"], head["state"], head["signed_by"]) == (listed["head"], "open", [])
    told = in_process.hallmark(project, "code", "adopt", "--as", "risk-officer", "--reason", "reviewed")
    assert f"no version before it is here: you sign for all that commit {listed['head'][:12]} holds" in told
    assert "signed off by risk-officer" in told
    (project / "tasks" / "core" / "facts.py").write_text("LAYERS = 3\n")
    commit(project, "Another version")
    told = in_process.hallmark(project, "code", "adopt", "--as", "risk-officer", "--reason", "reviewed too")
    assert f"since {listed['head'][:12]}, which was signed off before:" in told and "tasks/core/facts.py" in told
    told = in_process.hallmark(project, "code", "withdraw", "HEAD", "--as", "risk-officer", "--reason", "too few")
    assert "risk-officer took it back on" in told and "(too few)" in told
    states = {row["commit"]: row["state"] for row in in_process.hallmark_json(project, "code", "list")["versions"]}
    assert states == {listed["head"]: "signed off", git(project, "rev-parse", "HEAD"): "withdrawn"}
    table = in_process.hallmark(project, "code", "list")
    assert table.startswith("a version is signed off by 1 in role risk_officer") and "withdrawn" in table


@pytest.mark.parametrize(
    ("words", "told", "code"),
    [
        (("adopt", "no-such-commit", "--as", "risk-officer", "--reason", "x"), "is not a commit of", 2),
        (("adopt", "--as", "risk-officer", "--reason", " "), "say with --reason what you looked at", 2),
        (("adopt", "--as", "data-owner", "--reason", "x"), "a version of the code is signed off by risk_officer", 1),
        (("adopt", "--as", "nobody", "--reason", "x"), "is nobody in people.yaml", 2),
    ],
)
def test_what_is_wrong_is_said(project: Path, words: tuple[str, ...], told: str, code: int) -> None:
    assert told in in_process.hallmark(project, "code", *words, code=code)
