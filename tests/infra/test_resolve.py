"""`hallmark resolve`: a checkout made ready for work by hand."""

import json
import os
import subprocess
import sys
from pathlib import Path

from tasks.core.layout import Layout
from tasks.trust.gate_statement import require_gate
from tests.checkouts import Checkouts
from tests.in_process import hallmark
from tests.tiny_project import git


def test_work_by_hand_gets_inputs_and_experiment_gates(project: Path) -> None:
    hallmark(project, "resolve")
    assert json.loads((project / "inputs" / "authority.json").read_text())["tier"] == "experiment"
    assert (project / "gates" / "data.json").exists()
    assert git(project, "status", "--porcelain") == ""


def test_by_hand_dvc_takes_what_a_run_has_made_and_training_may_begin(tmp_path: Path, checkouts: Checkouts) -> None:
    folder = checkouts.warm(tmp_path / "project")
    hallmark(folder, "resolve")
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    command = [sys.executable, "-P", "-m", "dvc", "repro", "split", "base_model"]
    done = subprocess.run(command, cwd=folder, env=os.environ | {"PATH": path}, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    assert [line for line in done.stdout.splitlines() if line.startswith("Running stage")] == ["Running stage 'code':"]
    layout = Layout(folder)
    assert (layout.artefacts("split") / "train.parquet").exists() and (
        layout.artefacts("base_model") / "model"
    ).exists()
    require_gate(layout, "data")


def test_work_by_hand_takes_other_parameters(project: Path) -> None:
    own, other = project / "params.yaml", project / "examples" / "other.yaml"
    before = own.read_text()
    other.write_text(before.replace("name: tiny", "name: other"))
    try:
        hallmark(project, "resolve", "--set", "training.epochs=2")
        assert "epochs: 2" in own.read_text() and "name: tiny" in own.read_text()
        told = hallmark(project, "resolve", "--params", "examples/other.yaml", code=2)
        assert "params.yaml has changes that are not committed" in told
        assert "name: tiny" in own.read_text()
        git(project, "checkout", "params.yaml")
        for _ in range(2):
            hallmark(project, "resolve", "--params", "examples/other.yaml", "--set", "training.epochs=3")
        assert "epochs: 3" in own.read_text() and "name: other" in own.read_text()
        assert "expected KEY=VALUE" in hallmark(project, "resolve", "--set", "training", code=2)
        assert "greater than 0" in hallmark(project, "resolve", "--set", "training.epochs=-1", code=2)
    finally:
        own.write_text(before)
        other.unlink()
