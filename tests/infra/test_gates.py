"""`hallmark gates` where the ledger is shared, and a run that asks is on another machine."""

from pathlib import Path

import pytest

from tasks.govern import docket, evidence, governance
from tasks.govern.ledger import open_ledger
from tasks.layout import Layout
from tasks.params import load
from tests.govern.house import put_result
from tests.tiny_project import hallmark, hallmark_json, make_project

RUN = "20260101-000000-abcd"


@pytest.fixture
def project(tmp_path: Path) -> Path:
    folder = make_project(tmp_path / "project")
    hallmark(folder, "init")
    return folder


def ask(project: Path) -> None:
    """The release gate of a run, as the machine puts it that has the run."""
    elsewhere = Layout(project.parent / "elsewhere")
    put_result(elsewhere.stage("package"))
    policy = governance.load(project / "infra" / "governance", project / ".hallmark").policy
    asked = evidence.collect("release", elsewhere, load(project / "params.yaml"), policy, RUN, "ml-engineer", False)
    docket.ask(open_ledger(project / ".hallmark"), asked)


def bring_keys(project: Path) -> None:
    """Out of environment local: people.yaml has everybody's public key, the same on every machine."""
    people, policy = (project / "infra" / "governance" / name for name in ("people.yaml", "policy.yaml"))
    text = people.read_text()
    for file in (project / ".hallmark" / "keys").glob("*.pub"):
        text = text.replace(f"id: {file.stem},", f"id: {file.stem}, public_key: {file.read_text().strip()},")
    people.write_text(text)
    policy.write_text(policy.read_text().replace("environment: local", "environment: prod"))


def approve(project: Path, code: int) -> str:
    return hallmark(project, "gates", "approve", RUN, "release", "--as", "risk-officer", "--reason", "fine", code=code)


def listed(project: Path) -> dict:
    (row,) = hallmark_json(project, "gates", "list")
    return row


def test_a_gate_of_a_run_elsewhere_is_decided_where_the_same_policy_is_installed(project: Path) -> None:
    ask(project)
    assert listed(project)["state"] == "elsewhere"
    assert f"run {RUN} is not on this machine" in approve(project, code=1)
    bring_keys(project)
    (why,) = listed(project)["waiting_for"]
    assert listed(project)["state"] == "elsewhere" and "its policy is another than here" in why
    ask(project)
    assert listed(project)["state"] == "waiting"
    told = approve(project, code=0)
    assert "the gate is passed" in told and "goes on on the machine where it is" in told
    assert "risk-officer" in hallmark(project, "gates", "show", RUN, "release")
