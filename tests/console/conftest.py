"""A checkout with a release in production, runs that wait at their data gates, and the console that serves it."""

from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import NamedTuple

import pytest
import uvicorn
from argon2 import PasswordHasher
from fastapi import FastAPI

from infra.console import accounts
from infra.console.accounts import Accounts
from infra.console.app import PASSWORDS_ONLY, application
from infra.console.database import open_database
from infra.console.oidc.settings import SignInMethods
from infra.console.site import Site
from tasks.core.graph import DATA_STAGE_NAMES
from tasks.incidents import incidents
from tasks.ledger.ledger import open_ledger
from tasks.runs import journal
from tasks.runs.journal import GateState, Journal, StageState
from tasks.runs.run import installed_governance
from tasks.scheduling import control
from tests import whole_run
from tests.checkouts import Checkouts
from tests.console.servers import free_port, served
from tests.console.visits import console_of
from tests.copies import copy_tree
from tests.shared import made_once
from tests.tiny_project import create, git

PASSWORD = "correct horse battery staple"
WAITING = "20260102-000000-beef"
FAILING = "20260103-000000-cafe"
"""A run that waits at its data gate with a check that fails."""
SCHEDULES = """
schedules:
  weekly: {cron: "0 3 * * sun", timezone: Europe/Berlin}
  nightly: {cron: "30 2 * * *", timezone: Europe/Berlin, missed: latest}
"""


class Console(NamedTuple):
    root: Path
    origin: str


@pytest.fixture(scope="module", autouse=True)
def quick_passwords() -> Iterator[None]:
    """Hash passwords in a thousandth of the time; test_accounts.py has a test of how they are hashed else."""
    with pytest.MonkeyPatch.context() as own:
        own.setattr(accounts, "PasswordHasher", partial(PasswordHasher, time_cost=1, memory_cost=8, parallelism=1))
        yield


@pytest.fixture(scope="session")
def lived_in(tmp_path_factory: pytest.TempPathFactory, checkouts: Checkouts, shared: Path) -> Path:
    """The checkout that all console tests of this pytest process share."""
    return copy_of_lived_in(checkouts, shared, tmp_path_factory.mktemp("console") / "project")


def copy_of_lived_in(checkouts: Checkouts, shared: Path, folder: Path) -> Path:
    """Copy the checkout that the first process of the session that asks for it makes."""
    original = made_once(shared / "lived_in", lambda place: live_in(checkouts.released(place)))
    copy_tree(original, folder)
    worktrees = [str(folder / ".hallmark" / "runs" / run) for run in (whole_run.RUN, WAITING, FAILING)]
    git(folder, "worktree", "repair", *worktrees)
    return folder


def live_in(project: Path) -> Path:
    ledger, governed = open_ledger(project / ".hallmark"), installed_governance(project, None)
    write_journal(project, whole_run.RUN, "promoted", release="tiny-1")
    control.declare_deployments(ledger, governed, "ml-engineer", SCHEDULES)
    wait_at_data_gate(project, WAITING)
    wait_at_data_gate(project, FAILING, **{"data.seed": "3", "data.train_rows": "5"})
    incidents.open_incident_if_new(ledger, governed, "waiver-expired", "tiny-1", {"check": "enough rows"}, "major",
                          "risk_officer",
                        "A waiver of tiny-1 has expired.")  # fmt: skip
    passwords = Accounts(open_database(project / ".hallmark"))
    for person in ("data-owner", "ml-engineer", "product-owner", "risk-officer", "colleague"):
        passwords.set_password(person, PASSWORD)
    return project


def wait_at_data_gate(project: Path, run_id: str, **changes: str) -> str:
    """A run of other data that has asked its data gate; returns the SHA-256 of its evidence."""
    run = create(project, run_id, changes=changes or {"data.seed": "2", "data.max_prompt_chars": "60"})
    for name in DATA_STAGE_NAMES:
        whole_run.bring(run, name)
    asked = whole_run.ask(run, "data")
    write_journal(project, run_id, "waiting", gates={"data": GateState(state="waiting", waiting_for=["data-owner"])})
    return asked.sha256


def write_journal(project: Path, run: str, status: journal.RunStatus, **more: object) -> None:
    stages = {"ingest": StageState(state="done", seconds=3.2), "split": StageState(state="cached", seconds=0.4)}
    known = Journal(run=run, requested_by="ml-engineer", use_case="tiny", status=status, stages=stages, **more)
    journal.write_journal(project / ".hallmark", known)


@pytest.fixture(scope="module")
def app(lived_in: Path) -> FastAPI:
    """The console of that checkout for clients of this process."""
    return console_of(lived_in)


@pytest.fixture(scope="session")
def console(lived_in: Path) -> Iterator[Console]:
    """The console in this process; test_passkey.py has one that a command starts."""
    with serving(lived_in) as origin:
        yield Console(lived_in, origin)


@contextmanager
def serving(root: Path, sign_in_by: SignInMethods = PASSWORDS_ONLY) -> Iterator[str]:
    """A console of a checkout in a thread of this process; gives its address."""
    port = free_port()
    origin = f"http://127.0.0.1:{port}"
    pages = application(Site(root, origin), sign_in_by)
    # A browser may keep a connection that it asks nothing by: the end does not wait for it.
    config = uvicorn.Config(pages, port=port, log_level="error", timeout_graceful_shutdown=1)
    with served(config):
        yield origin
