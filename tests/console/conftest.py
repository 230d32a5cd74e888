"""A checkout with a release in production, a run that waits at its data gate, and the console that serves it."""

from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

from infra.console.accounts import Accounts
from infra.console.store import open_store
from tasks.incidents import incidents
from tasks.occasions import deciding
from tasks.runs import journal
from tasks.runs.journal import GateLine, Journal, StageLine
from tests import whole_run
from tests.checkouts import Checkouts
from tests.tiny_project import create, hallmark, hallmark_json

PASSWORD = "correct horse battery staple"
SECOND = "20260101-120000-0dd5"
"""Its release is champion, and that of whole_run.RUN the one before."""
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
    project = checkouts.warm(tmp_path_factory.mktemp("console") / "project")
    promoted = whole_run.promote(project)
    write_journal(project, promoted.id, "promoted", release="tiny-1")
    second = whole_run.promote(project, SECOND, {"evaluation.bootstrap_samples": "101"})
    write_journal(project, second.id, "promoted", release="tiny-2")
    deciding.declare(promoted.ledger(), promoted.governance(), "ml-engineer", SCHEDULES)
    wait_at_data_gate(project, WAITING)
    incidents.open_once(promoted.ledger(), promoted.governance(), "waiver-expired", "tiny-1", {"check": "enough rows"},
                        "major", "risk_officer", "A waiver of tiny-1 has expired.")  # fmt: skip
    accounts = Accounts(open_store(project / ".hallmark"))
    for person in ("data-owner", "ml-engineer", "product-owner", "risk-officer", "colleague"):
        accounts.put(person, PASSWORD)
    return project


def wait_at_data_gate(project: Path, run_id: str, **changes: str) -> str:
    """A run of other data that has asked its data gate; returns the SHA-256 of its evidence."""
    run = create(project, run_id, changes=changes or {"data.seed": "2"})
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
