"""The attacks that the documents tell of are those that there are."""

import subprocess
import sys
from pathlib import Path

import pytest

from tests import attack_suite, costs
from tests.registry.registry_attacks import ATTACKS
from tests.soaking import COLLECTED

ROOT = Path(__file__).parents[2]
DOCUMENT = ROOT / "docs" / "attacks.md"


def test_the_table_of_attacks_is_that_of_the_tests(request: pytest.FixtureRequest) -> None:
    """Where pytest has collected every file that has one, as `make test` does, they are not collected once more: that
    takes a quarter of a minute of processor."""
    session = request.session
    if not has_all(session):
        done = run("--check", str(DOCUMENT))
        assert done.returncode == 0, done.stdout + done.stderr
        return
    suite = attack_suite.Suite()
    suite.pytest_collection_modifyitems(session.config.stash[COLLECTED])
    wanted = attack_suite.document(DOCUMENT, attack_suite.table(suite.sorted(), outcome=False))
    told = f"it is stale; write it: python -m tests.attack_suite --document {DOCUMENT}"
    assert wanted == DOCUMENT.read_text(), told


@pytest.mark.soak
@pytest.mark.timeout(7200)
def test_no_attack_gets_through_and_plain_mlflow_stops_none_of_its_owner() -> None:
    done = run()
    assert done.returncode == 0, done.stdout + done.stderr
    of_owner = len(ATTACKS)
    assert done.stdout.endswith(f"got through: 0; an MLflow registry without Hallmark: {of_owner}\n"), done.stdout


def run(*options: str) -> "subprocess.CompletedProcess[str]":
    command = [sys.executable, "-m", "tests.attack_suite", *options]
    return subprocess.run(command, cwd=ROOT, env=costs.own_session(), capture_output=True, text=True)


def has_all(session: pytest.Session) -> bool:
    """Whether every file that has an attack is among what was asked for, whole."""
    asked = session.config.option
    parts = asked.keyword or asked.markexpr or asked.deselect or any("::" in word for word in session.config.args)
    files = {path for path in (ROOT / "tests").rglob("test_*.py") if "mark.attack(" in path.read_text()}
    return not parts and files - {Path(__file__)} <= {item.path for item in session.config.stash[COLLECTED]}
