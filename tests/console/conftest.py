"""A checkout with a release in production, a run that waits at its data gate, and the console that serves it."""

import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Thread
from typing import NamedTuple

import pytest
import uvicorn

from infra.console.accounts import Accounts
from infra.console.app import BY_PASSWORD, application
from infra.console.oidc.settings import SignInBy
from infra.console.site import Site
from infra.console.store import open_store
from tasks.incidents import incidents
from tasks.ledger.ledger import open_ledger
from tasks.occasions import deciding
from tasks.runs import journal
from tasks.runs.journal import GateLine, Journal, StageLine
from tasks.runs.run import installed_governance
from tests import whole_run
from tests.checkouts import Checkouts
from tests.tiny_project import create, hallmark, hallmark_json

PASSWORD = "correct horse battery staple"
WAITING = "20260102-000000-beef"
SCHEDULES = """
schedules:
  weekly: {cron: "0 3 * * sun", timezone: Europe/Berlin}
  nightly: {cron: "30 2 * * *", timezone: Europe/Berlin, missed: latest}
"""


class Console(NamedTuple):
    root: Path
    origin: str


@pytest.fixture(scope="session")
def lived_in(tmp_path_factory: pytest.TempPathFactory, checkouts: Checkouts) -> Path:
    project = checkouts.released(tmp_path_factory.mktemp("console") / "project")
    ledger, governed = open_ledger(project / ".hallmark"), installed_governance(project, None)
    write_journal(project, whole_run.RUN, "promoted", release="tiny-1")
    deciding.declare(ledger, governed, "ml-engineer", SCHEDULES)
    wait_at_data_gate(project, WAITING)
    incidents.open_once(ledger, governed, "waiver-expired", "tiny-1", {"check": "enough rows"}, "major", "risk_officer",
                        "A waiver of tiny-1 has expired.")  # fmt: skip
    accounts = Accounts(open_store(project / ".hallmark"))
    for person in ("data-owner", "ml-engineer", "product-owner", "risk-officer", "colleague"):
        accounts.put(person, PASSWORD)
    return project


def wait_at_data_gate(project: Path, run_id: str, **changes: str) -> str:
    """A run of other data that has asked its data gate; returns the SHA-256 of its evidence."""
    run = create(project, run_id, changes=changes or {"data.seed": "2", "data.max_prompt_chars": "60"})
    for name in ("ingest", "clean", "deduplicate", "validate", "split"):
        whole_run.bring(run, name)
    asked = whole_run.ask(run, "data")
    write_journal(project, run_id, "waiting", gates={"data": GateLine(state="waiting", waiting_for=["data-owner"])})
    return asked.sha256


def write_journal(project: Path, run: str, status: journal.Status, **more: object) -> None:
    stages = {"ingest": StageLine(state="done", seconds=3.2), "split": StageLine(state="cached", seconds=0.4)}
    known = Journal(run=run, requested_by="ml-engineer", use_case="tiny", status=status, stages=stages, **more)
    journal.write(project / ".hallmark", known)


@pytest.fixture(scope="session")
def console(lived_in: Path) -> Iterator[Console]:
    with pytest.MonkeyPatch.context() as own:
        own.setenv("HALLMARK_CONSOLE_PORT", "0")
        started = hallmark_json(lived_in, "console", "start")
    yield Console(lived_in, started["url"])
    hallmark(lived_in, "down")


@contextmanager
def serving(root: Path, sign_in_by: SignInBy = BY_PASSWORD) -> Iterator[str]:
    """A console of a checkout in a thread of this process; gives its address."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    origin = f"http://127.0.0.1:{port}"
    server = uvicorn.Server(uvicorn.Config(application(Site(root, origin), sign_in_by), port=port, log_level="error"))
    thread = Thread(target=server.run)
    thread.start()
    while not server.started:
        assert thread.is_alive()
        time.sleep(0.05)
    try:
        yield origin
    finally:
        server.should_exit = True
        thread.join()
