"""A new optional field of a signed document is a change of its file alone: the browser signs the document as before."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.request import urlopen

import pytest

from infra.console.accounts import Accounts
from infra.console.database import open_database
from tasks.incidents import incidents
from tasks.ledger.ledger import open_ledger
from tasks.runs.run import installed_governance
from tasks.trust import dsse
from tests.changed_tree import ChangedTree
from tests.checkouts import Checkouts
from tests.console.browsing import NEEDED, browser, opened, with_key
from tests.console.conftest import PASSWORD, Console
from tests.console.servers import free_port
from tests.patience import wait_until

pytestmark = NEEDED
__all__ = ["browser"]
DOCUMENT = "tasks/incidents/signed_incident.py"
FIELD = '    remark: str | None = None\n    """Remark of the person; null: none."""\n'


@pytest.fixture
def console(tmp_path: Path, checkouts: Checkouts) -> Iterator[Console]:
    """The console of the changed tree, for a checkout with an open incident."""
    root = checkouts.ready(tmp_path / "project")
    ledger, governed = open_ledger(root / ".hallmark"), installed_governance(root, None)
    incidents.open_incident_if_new(
        ledger, governed, "waiver-expired", "tiny-1", {}, "major", "risk_officer", "It has expired."
    )
    Accounts(open_database(root / ".hallmark")).set_password("risk-officer", PASSWORD)
    tree = ChangedTree(tmp_path / "tree")
    tree.insert(DOCUMENT, before="    reason: str\n    environment: Name\n", text=FIELD)
    port = free_port()
    origin = f"http://127.0.0.1:{port}"
    with tree.running("infra.console.serve", str(root), origin, str(port)):
        wait_until(lambda: is_up(origin), "the console to listen")
        yield Console(root, origin)


def is_up(origin: str) -> bool:
    try:
        return bool(urlopen(f"{origin}/health").status == 200)
    except OSError:
        return False


def test_the_browser_signs_a_document_with_it(browser: Any, console: Console) -> None:
    page = with_key(opened(browser, console, "risk-officer"), console, "risk-officer")
    page.goto(f"{console.origin}/incidents")
    page.click("main table a")
    page.fill(".signed [name=reason]", "retraining is planned")
    page.click("text=Sign and record")
    page.wait_for_selector("text=risk-officer: retraining is planned")
    closing = open_ledger(console.root / ".hallmark").entries("incident.closed")[-1]
    assert dsse.unverified_statement(closing.body["envelope"])["predicate"]["remark"] is None
