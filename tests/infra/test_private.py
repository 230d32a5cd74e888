"""What `hallmark` makes under .hallmark is for its owner alone, whatever the umask of whoever starts it."""

import os
import stat
import tempfile
from pathlib import Path

import pytest

from tasks.runs import journal
from tasks.runs.journal import Journal
from tests import tiny_project
from tests.checkouts import Checkouts
from tests.in_process import hallmark
from tests.private_state import open_to_others
from tests.tiny_project import create


@pytest.fixture(autouse=True)
def usual_umask() -> None:
    """The next test has its own again (`own_umask`)."""
    os.umask(0o022)


def test_state_is_shut_and_one_that_was_open_is_shut_and_told(tmp_path: Path, checkouts: Checkouts) -> None:
    project = checkouts.made(tmp_path / "project")
    state, people = project / ".hallmark", project / "infra" / "governance" / "people.yaml"
    tiny_project.hallmark(project, "init")
    assert open_to_others(state) == []
    state.chmod(0o755)
    told = tiny_project.hallmark(project, "status")
    assert f"others could enter {state}" in told and "0700" in told
    assert stat.S_IMODE(state.stat().st_mode) == 0o700
    assert hallmark(project, "status").count("others could enter") == 0
    before = people.stat().st_mode
    hallmark(project, "identity", "create", "ada", "--name", "Ada", "--role", "auditor")
    assert people.stat().st_mode == before, "a file of the checkout's keeps its permissions"


def test_a_run_made_in_a_process_of_that_umask_is_shut_too(tmp_path: Path, checkouts: Checkouts) -> None:
    project = checkouts.ready(tmp_path / "project")
    os.umask(0o077)
    made = create(project, "one")
    journal.write_journal(project / ".hallmark", Journal(run="one", requested_by="ml-engineer"))
    assert made.layout.params_path.exists() and open_to_others(project / ".hallmark") == []


@pytest.mark.attack(rights="disk", stopped="no other user's folder keeps a runner from starting")
def test_a_runner_keeps_nothing_where_other_users_do(tmp_path: Path) -> None:
    from prefect.runner import Runner

    from infra.prefect import runner

    before = tempfile.gettempdir()
    with runner.prefect_storage_in(tmp_path):
        made = Runner(name="hallmark")
    assert made._tmp_dir.is_relative_to(tmp_path) and tempfile.gettempdir() == before
