"""Server, runner and flow runs import what is installed, not what lies in the checkout or in the environment."""

import os
import sys
from pathlib import Path

import psutil
import pytest

from infra.prefect import server

CHILD = "import subprocess, sys; subprocess.run([sys.executable, '-m', 'json.tool', '--help']); print('over')"
PLANTED = ("sitecustomize.py", "usercustomize.py", "json.py", "json/tool.py", "prefect/__init__.py", "subprocess.py")


@pytest.mark.attack(rights="commit", stopped="server, runner and flow runs start isolated")
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")  # it is to outlive who starts it
@pytest.mark.parametrize("where", ["the checkout", "PYTHONPATH"])
def test_what_lies_in_the_checkout_is_not_run_by_the_runner(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, where: str
) -> None:
    root, planted = tmp_path / "checkout", tmp_path / ("checkout" if where == "the checkout" else "elsewhere")
    (root / ".hallmark" / "prefect").mkdir(parents=True)
    for name in PLANTED:
        path = planted / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"import os; os.close(os.open({str(tmp_path / 'evil')!r}, os.O_CREAT))\n")
    monkeypatch.setenv("PYTHONPATH", str(planted) if where == "PYTHONPATH" else "")
    process = server._spawn(root, "probe", ["-c", CHILD], dict(os.environ))
    psutil.Process(process.pid).wait(timeout=60)
    log = (root / ".hallmark" / "prefect" / "probe.log").read_text()
    assert log.endswith("over\n") and "usage: python -m json.tool" in log, (log, sys.executable)
    assert not (tmp_path / "evil").exists()
