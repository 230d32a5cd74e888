"""An auditor reads every page and changes nothing; the sample's people and one more."""

from pathlib import Path

import pytest
from starlette.testclient import TestClient

from infra.console.actions import SIGNABLE_STATEMENTS
from infra.console.app import application
from infra.console.pages import PAGES
from infra.console.site import Site
from tasks.ledger.ledger import open_ledger
from tasks.runs.run import installed_governance
from tasks.scheduling import control
from tests.checkouts import Checkouts
from tests.console.visits import ORIGIN, govern, post_fitting, seated
from tests.in_process import hallmark
from tests.tiny_project import PEOPLE

AUDITED = f"{PEOPLE}  - {{id: auditor, name: Auditor, roles: [auditor]}}\n"


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory, checkouts: Checkouts) -> Path:
    return govern(checkouts.ready(tmp_path_factory.mktemp("auditor") / "project"), AUDITED)


@pytest.fixture(scope="module")
def reader(root: Path) -> TestClient:
    return seated(application(Site(root, ORIGIN)), root, "auditor")


@pytest.mark.parametrize("path", [page.path for page in PAGES if "{" not in page.path])
def test_an_auditor_reads_every_page(reader: TestClient, path: str) -> None:
    answer = reader.get(path)
    assert answer.status_code == 200, answer.text


def test_an_auditor_is_offered_no_switch_of_a_schedule(reader: TestClient, root: Path) -> None:
    ledger, governed = open_ledger(root / ".hallmark"), installed_governance(root, None)
    control.declare_deployments(ledger, governed, "ml-engineer", "schedules: {nightly: {every: 1h}}")
    assert "hallmark schedule pause" in seated(reader.app, root, "ml-engineer").get("/schedules/nightly").text
    page = reader.get("/schedules/nightly")
    assert page.status_code == 200 and "hallmark schedule" not in page.text and "data-asked" not in page.text


@pytest.mark.attack(rights="visitor", stopped="an auditor changes nothing, whatever a page lets them ask")
@pytest.mark.parametrize("path", [f"{each.path}/{verb}" for each in SIGNABLE_STATEMENTS for verb in ("draw", "decide")])
def test_no_signing_route_takes_anything_of_an_auditor(reader: TestClient, root: Path, path: str) -> None:
    """The same of an engineer is judged by what it says."""
    taken = post_fitting(reader, path)
    assert (taken.status_code, "reads everything and changes nothing" in taken.json()["error"]) == (409, True)
    engineer = seated(reader.app, root, "ml-engineer")
    assert "reads everything" not in post_fitting(engineer, path).json()["error"]


@pytest.mark.attack(rights="visitor", stopped="an auditor may not act on the command line either")
@pytest.mark.parametrize(
    "words",
    [
        ["data", "withdraw", "messages", "--reason", "x"], ["data", "adopt", "messages", "--reason", "x"],
        ["card", "adopt", "--reason", "x"], ["code", "adopt", "HEAD", "--reason", "x"],
        ["policy", "adopt", "infra/governance"],
    ],
)  # fmt: skip
def test_no_command_takes_anything_of_an_auditor(root: Path, words: list[str]) -> None:
    told = hallmark(root, *words, "--as", "auditor", code=1)
    assert "reads everything and changes nothing" in told
