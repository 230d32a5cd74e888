"""What the console says where something that it needs is away."""

from pathlib import Path

import pytest
from starlette.testclient import TestClient

from tests.checkouts import Checkouts
from tests.console.visits import console_of, signed_in, visiting

PLACES = ("/", "/runs", "/releases", "/production", "/data", "/audit", "/schedules", "/policy", "/ledger", "/key")


@pytest.fixture
def project(tmp_path: Path, checkouts: Checkouts) -> Path:
    return checkouts.ready(tmp_path / "project")


def reader(project: Path) -> TestClient:
    return signed_in(visiting(console_of(project), raise_server_exceptions=False), "data-owner")


def test_without_its_ledger_every_page_says_so(project: Path) -> None:
    """Nothing is shown as if there were no runs; once it is back, so are the pages."""
    client, ledger = reader(project), project / ".hallmark" / "ledger.db"
    assert all(client.get(path).status_code == 200 for path in PLACES)
    before = ledger.read_bytes()
    ledger.write_bytes(b"no database " * 1000)
    for path in PLACES:
        answer = client.get(path)
        assert answer.status_code == 503 and "ledger" in answer.text and "Traceback" not in answer.text, path
    ledger.write_bytes(before)
    assert client.get("/").status_code == 200


def test_without_its_own_database_nobody_is_let_in(project: Path) -> None:
    client = reader(project)
    (project / ".hallmark" / "console" / "console.db").write_bytes(b"no database " * 1000)
    answer = client.get("/")
    assert answer.status_code == 503 and "console" in answer.text and "Traceback" not in answer.text
