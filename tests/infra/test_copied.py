"""A checkout that was copied whole, `.hallmark` too, is another one: it leaves the original's server and runs alone."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from flows import deployment_names
from infra.prefect import access, server
from infra.processes import Process
from tasks.core.files import tree_manifest, write_json
from tasks.gates import cases, evidence
from tasks.runs import installation, journal
from tasks.runs.journal import GateState, Journal
from tests.editing import moved
from tests.governed.house import put_result
from tests.in_process import hallmark, hallmark_json
from tests.infra.test_cli_run import idle, remote_prefect
from tests.tiny_project import create, git

RUN = "20260101-000000-aaaa"


@pytest.fixture(scope="module")
def project(project: Path) -> Path:
    """With a run that waits at its release gate."""
    run = create(project, RUN)
    put_result(run.layout.artefacts("package"))
    asked = evidence.collect_evidence("release", run.layout, run.params, run.governance().policy, run.signed_request)
    cases.open_gate(run.ledger(), asked)
    run.commit_files("Ask at the release gate")
    gates = {"release": GateState(state="waiting", waiting_for=["somebody"])}
    journal.write_journal(
        project / ".hallmark", Journal(run=RUN, requested_by="ml-engineer", status="waiting", gates=gates)
    )
    return project


@pytest.fixture
def running(project: Path) -> Iterator[Process]:
    """A process in the place of the original's runner, and up.json that names it."""
    with idle(access.prefect_folder(project)) as runner:
        write_json(project / ".hallmark" / "prefect" / "up.json", remote_prefect(runner).model_dump(mode="json"))
        yield runner


@pytest.fixture
def copy(project: Path, running: Process, tmp_path: Path) -> Path:
    return Path(shutil.copytree(project, tmp_path / "copy", symlinks=True))


def test_down_in_a_copy_stops_nothing_of_the_original(project: Path, running: Process, copy: Path) -> None:
    assert hallmark(copy, "down") == "nothing was up\n"
    assert running.is_alive() and server.find(project) is not None


def test_a_copy_finds_no_server_up(project: Path, running: Process, copy: Path) -> None:
    assert server.find(copy) is None
    assert "Prefect: not up" in hallmark(copy, "status")


def test_a_checkout_that_was_moved_still_finds_its_own(project: Path, running: Process, tmp_path: Path) -> None:
    before = installation.installation_id(project)
    with moved(project, tmp_path / "moved") as place:
        assert server.find(place) is not None and installation.installation_id(place) == before
    assert installation.installation_id(project) == before


def test_a_copy_is_another_installation_and_stays_one(project: Path, copy: Path) -> None:
    ours, theirs = installation.installation_id(project), installation.installation_id(copy)
    assert ours != theirs and deployment_names.full_runner_deployment_name(
        project
    ) != deployment_names.full_runner_deployment_name(copy)
    assert (installation.installation_id(project), installation.installation_id(copy)) == (ours, theirs)


def test_a_copys_runs_are_its_own(project: Path, copy: Path) -> None:
    before = {path: tree_manifest(project / path) for path in (".git", f".hallmark/runs/{RUN}")}
    head = git(project / ".hallmark" / "runs" / RUN, "rev-parse", "HEAD")
    assert hallmark_json(copy, "runs", "show", RUN)["status"] == "waiting"
    assert hallmark_json(copy, "gates", "show", RUN, "release")["evidence"]["run"] == RUN
    theirs = copy / ".hallmark" / "runs" / RUN
    assert git(theirs, "rev-parse", "HEAD") == head and git(theirs, "status", "--porcelain") == ""
    create(copy, "another")
    git(copy, "worktree", "prune", "--expire", "now")
    git(copy, "gc", "--quiet", "--prune=now")
    shutil.rmtree(theirs)
    assert {path: tree_manifest(project / path) for path in before} == before
    assert git(project / ".hallmark" / "runs" / RUN, "status", "--porcelain") == ""
    assert git(project, "rev-parse", f"refs/hallmark/runs/{RUN}") == head
