"""`hallmark code` on the command line. Its mistakes: test_cli.py."""

from pathlib import Path

from tests.in_process import hallmark, hallmark_json
from tests.tiny_project import commit, git


def test_a_version_is_signed_off_listed_and_taken_back(project: Path) -> None:
    listed = hallmark_json(project, "code", "list")
    (head,) = listed["versions"]
    assert (head["commit"], head["state"], head["signed_by"]) == (listed["head"], "open", [])
    told = hallmark(project, "code", "adopt", "--as", "risk-officer", "--reason", "reviewed")
    assert f"no version before it is here: you sign for all that commit {listed['head'][:12]} holds" in told
    assert "signed off by risk-officer" in told
    (project / "tasks" / "core" / "facts.py").write_text("LAYERS = 3\n")
    commit(project, "Another version")
    told = hallmark(project, "code", "adopt", "--as", "risk-officer", "--reason", "reviewed too")
    assert f"since {listed['head'][:12]}, which was signed off before:" in told and "tasks/core/facts.py" in told
    told = hallmark(project, "code", "withdraw", "HEAD", "--as", "risk-officer", "--reason", "too few")
    assert "risk-officer took it back on" in told and "(too few)" in told
    states = {row["commit"]: row["state"] for row in hallmark_json(project, "code", "list")["versions"]}
    assert states == {listed["head"]: "signed off", git(project, "rev-parse", "HEAD"): "withdrawn"}
    git(project, "tag", listed["head"][:9], "HEAD")
    for verb in ("adopt", "withdraw"):
        told = hallmark(
            project, "code", verb, listed["head"][:9], "--as", "risk-officer", "--reason", "reviewed", code=2
        )
        assert f"{listed['head'][:9]!r} names refs/tags/{listed['head'][:9]} (" in told
    table = hallmark(project, "code", "list")
    assert table.startswith("a version is signed off by 1 in role risk_officer") and "withdrawn" in table
