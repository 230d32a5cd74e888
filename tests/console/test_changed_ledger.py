"""The console lets nobody sign on a ledger that somebody changed."""

from pathlib import Path

import pytest
from starlette.testclient import TestClient

from infra.console.actions import SIGNABLE_STATEMENTS
from infra.console.app import application
from infra.console.site import Site
from tests.checkouts import Checkouts
from tests.console.visits import ORIGIN, post_fitting, seated
from tests.in_process import hallmark
from tests.ledger_tampering import change_entry


@pytest.fixture(scope="module")
def engineer(tmp_path_factory: pytest.TempPathFactory, checkouts: Checkouts) -> TestClient:
    root: Path = checkouts.ready(tmp_path_factory.mktemp("changed") / "project")
    client = seated(application(Site(root, ORIGIN)), root, "ml-engineer")
    hallmark(root, "ledger", "publish")
    change_entry(root / ".hallmark" / "ledger.db", 2)
    return client


@pytest.mark.attack(rights="database", stopped="who signs in a browser signs nothing on a ledger that was changed")
@pytest.mark.parametrize("path", [f"{each.path}/{verb}" for each in SIGNABLE_STATEMENTS for verb in ("draw", "decide")])
def test_nothing_is_signed(engineer: TestClient, path: str) -> None:
    answer = post_fitting(engineer, path)
    assert answer.status_code == 409, answer.text
    assert "So nothing is done on it" in answer.json()["error"]
