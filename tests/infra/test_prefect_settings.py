"""Prefect takes settings from the folder that a process finds itself in. A command's is the checkout."""

import subprocess
import sys
from pathlib import Path

import pytest

from tests.patience import patience
from tests.soaking import soak
from tests.tiny_project import ROOT

LOG = """
version: 1
disable_existing_loggers: false
handlers:
  evil: {"()": os.system, command: "touch EVIL"}
root: {handlers: [evil]}
"""
SETTINGS = {
    "prefect.toml": '[logging]\nconfig_path = "LOG"\n',
    "pyproject.toml": '[tool.prefect.logging]\nconfig_path = "LOG"\n',
}
LOOKS = """
import sys
from pathlib import Path
from infra.prefect import client
from infra.prefect.server import RunningPrefect
from infra.processes import Process
root = Path(sys.argv[1])
nobody = Process(pid=1, started=0.0)
up = RunningPrefect(api="http://127.0.0.1:9/api", server=None, runner=nobody)
with client.connected_client(root, up):
    from flows.watch import reschedule_flow_run
"""
CARELESS = "from prefect import flow"


def run(root: Path, source: str) -> bool:
    """Whether the planted program ran."""
    evil = root / "evil"
    evil.unlink(missing_ok=True)
    subprocess.run([sys.executable, "-c", f"import sys; sys.path.insert(0, {str(ROOT)!r})\n{source}", str(root)],
                   cwd=root, capture_output=True, timeout=patience(60), check=False)  # fmt: skip
    return evil.exists()


@pytest.mark.attack(rights="commit", stopped="a command asks Prefect from a folder that git brings nothing to")
@pytest.mark.parametrize("name", ["prefect.toml", *soak(["pyproject.toml"])])
def test_settings_that_a_commit_brings_run_nothing(tmp_path: Path, name: str) -> None:
    (tmp_path / ".hallmark" / "prefect").mkdir(parents=True)
    (tmp_path / "log.yml").write_text(LOG.replace("EVIL", str(tmp_path / "evil")))
    (tmp_path / name).write_text(SETTINGS[name].replace("LOG", str(tmp_path / "log.yml")))
    assert run(tmp_path, CARELESS), "Prefect runs it, else this is no attack"
    assert not run(tmp_path, LOOKS)
