"""The attacks that the documents tell of are those that there are."""

import subprocess
import sys
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from typing import Any

import pytest

from tests.soaking import COLLECTED

ROOT = Path(__file__).parents[2]
SCRIPT, DOCUMENT = ROOT / "benchmarks" / "attacks.py", ROOT / "docs" / "attacks.md"


def test_the_table_of_attacks_is_that_of_the_tests(request: pytest.FixtureRequest) -> None:
    """Where pytest has collected every file that has one, as `make test` does, they are not collected once more: that
    takes a quarter of a minute of processor."""
    session = request.session
    if not has_all(session):
        command = [sys.executable, str(SCRIPT), "--check", str(DOCUMENT)]
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
        assert done.returncode == 0, done.stdout + done.stderr
        return
    attacks = script()
    suite = attacks.Suite()
    suite.pytest_collection_modifyitems(session.config.stash[COLLECTED])
    wanted = attacks.document(DOCUMENT, attacks.table(suite.sorted(), outcome=False))
    assert wanted == DOCUMENT.read_text(), f"it is stale; write it: python {SCRIPT} --document {DOCUMENT}"


def has_all(session: pytest.Session) -> bool:
    """Whether every file that has an attack is among what was asked for, whole."""
    asked = session.config.option
    parts = asked.keyword or asked.markexpr or asked.deselect or any("::" in word for word in session.config.args)
    files = {path for path in (ROOT / "tests").rglob("test_*.py") if "mark.attack(" in path.read_text()}
    return not parts and files - {Path(__file__)} <= {item.path for item in session.config.stash[COLLECTED]}


def script() -> Any:
    spec = spec_from_file_location("attacks_of_benchmarks", SCRIPT)
    assert spec and spec.loader
    module = module_from_spec(spec)
    sys.modules[spec.name] = module  # its dataclasses look there
    try:
        spec.loader.exec_module(module)
    finally:
        del sys.modules[spec.name]
    return module
