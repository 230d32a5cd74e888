"""The table of costs: whose CPU time it is, whoever took it."""

import json
import subprocess
import sys

import pytest

from tests import costs
from tests.tiny_project import ROOT

CONFTEST = """
import os
from pathlib import Path
from tests import costs
os.environ.setdefault(costs.SESSION, "one")
def pytest_addoption(parser):
    parser.addoption("--costs", type=Path)
def pytest_configure(config):
    costs.register(config)
"""
BURN = "import time; end = time.process_time() + .6\nwhile time.process_time() < end: pass\n"
STRAY = f"""{BURN}
from pathlib import Path
done = Path("done")
done.touch()
while done.exists():
    time.sleep(.1)
"""
"""Goes on while the table is printed."""
HOLD = f"import sys\n{BURN}open('held', 'w')\nsys.stdin.read()"
SERVE = f"""
import subprocess, sys
child = subprocess.Popen([sys.executable, "-c", {HOLD.replace("held", "served")!r}], stdin=-1)
sys.stdin.read()
child.communicate()
"""
"""The process below it burns, and counts for its parent once the parent has waited for it."""
ORPHAN = 2 * BURN + "open('orphan', 'w')\n" + 3 * BURN
PARENT = f"""
import subprocess, sys, time
from pathlib import Path
subprocess.Popen([sys.executable, "-c", {ORPHAN!r}], start_new_session=True)
while not Path("orphan").exists():
    time.sleep(.1)
"""
"""Ends before its child, which burns on. Before that both are seen: a look comes once a second."""
BEFORE = f"""
import os, subprocess
from pathlib import Path
from tests import costs
from tests.patience import wait_until
PYTHON = {sys.executable!r}
BURN, STRAY, PARENT, HOLD, SERVE = {BURN!r}, {STRAY!r}, {PARENT!r}, {HOLD!r}, {SERVE!r}
"""
FILES = {
    "itself": "exec(BURN)",
    "child": "subprocess.run([PYTHON, '-c', BURN])",
    "stray": "subprocess.run(['setsid', '--fork', PYTHON, '-c', STRAY]); wait_until(Path('done').exists, 'it')",
    "orphan": "subprocess.run([PYTHON, '-c', PARENT], env={costs.CURRENT: os.environ[costs.CURRENT]})",
    "sharing": "with costs.charged_to_all():\n        exec(BURN)",
    "holds": "costs.held = subprocess.Popen([PYTHON, '-c', HOLD], stdin=-1); wait_until(Path('held').exists, 'it')",
    "service": "with costs.charged_to_all(): costs.shared = subprocess.Popen([PYTHON, '-c', SERVE], stdin=-1)\n"
    "    wait_until(Path('served').exists, 'it')",
    "group": "costs.group = subprocess.Popen([PYTHON, '-c', SERVE.replace('served', 'grouped')], stdin=-1)\n"
    "    wait_until(Path('grouped').exists, 'it')",
    "group_ends": "costs.group.communicate()",
    "idle": "pass",
    "stopping": "costs.shared.communicate()",
    "waits": "costs.held.communicate()",
}
"""Name and body of a test in a file of its own."""


@pytest.fixture(scope="module")
def counted(tmp_path_factory: pytest.TempPathFactory) -> dict[str, float]:
    """CPU seconds by file of a session whose files burn some in different ways."""
    folder = tmp_path_factory.mktemp("session")
    (folder / "conftest.py").write_text(CONFTEST)
    for name, body in FILES.items():
        (folder / f"test_{name}.py").write_text(f"{BEFORE}\ndef test_it():\n    {body}\n")
    words = ["-q", "-p", "no:cacheprovider", "--rootdir", folder, "--costs", "costs.json"]
    environment = costs.own_session() | {"PYTHONPATH": str(ROOT)}
    done = subprocess.run(
        [sys.executable, "-m", "pytest", *words], cwd=folder, env=environment, capture_output=True, text=True
    )
    (folder / "done").unlink()
    assert done.returncode == 0, done.stdout + done.stderr
    assert f"CPU seconds of {costs.CPU_SECONDS:,}" in done.stdout
    return {name: cost["cpu"] for name, cost in json.loads((folder / "costs.json").read_text()).items()}


@pytest.mark.parametrize(
    "name",
    [
        "test_itself.py",
        "test_child.py",
        "test_stray.py",
        "test_orphan.py",
        "test_holds.py",
        "test_group.py",
        costs.SHARED,
    ],
)
def test_what_was_burnt_is_charged_to_whoever_burnt_it(counted: dict[str, float], name: str) -> None:
    assert counted[name] >= {"test_orphan.py": 2, costs.SHARED: 1}.get(name, 0.5)


@pytest.mark.parametrize(
    "name",
    ["test_idle.py", "test_sharing.py", "test_waits.py", "test_group_ends.py", "test_service.py", "test_stopping.py"],
)
def test_nobody_is_charged_for_others(counted: dict[str, float], name: str) -> None:
    assert counted[name] < 0.3
