"""MLflow's tables are whole, whoever makes them at the same time and whoever is killed while doing so."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from mlflow import MlflowClient

from tasks.core import mlflow_database

SCRIPT = "import sys; from tasks.core import mlflow_database; mlflow_database.make(sys.argv[1])"


def makes(uri: str, tmp: Path) -> "subprocess.Popen[bytes]":
    """Each with a /tmp of its own, as a stage in its sandbox has."""
    tmp.mkdir()
    command = [sys.executable, "-c", SCRIPT, uri]
    return subprocess.Popen(command, env=os.environ | {"TMPDIR": str(tmp)}, stderr=subprocess.DEVNULL)


@pytest.mark.slow
def test_whoever_makes_it_and_is_killed_the_database_is_whole(tmp_path: Path) -> None:
    file = tmp_path / "mlflow" / "mlflow.db"
    uri = f"sqlite:///{file}"
    killed = makes(uri, tmp_path / "killed")
    while not [*tmp_path.glob("mlflow/making-*/mlflow.db")]:  # it is at its migrations
        assert killed.poll() is None
        time.sleep(0.01)
    killed.send_signal(signal.SIGKILL)
    killed.wait()
    assert not file.exists()
    both = [makes(uri, tmp_path / name) for name in ("one", "other")]
    assert [process.wait(120) for process in both] == [0, 0]
    client = MlflowClient(uri)
    assert [it.name for it in client.search_experiments()] == ["Default"]
    made = file.stat().st_ino
    client.create_experiment("kept")
    mlflow_database.make(uri)
    assert file.stat().st_ino == made and MlflowClient(uri).get_experiment_by_name("kept")


@pytest.mark.parametrize("uri", ["http://127.0.0.1:1", "postgresql://h/d", "sqlite://", "sqlite:////{0}/a.db?mode=ro"])
def test_other_addresses_are_left_to_mlflow(tmp_path: Path, uri: str) -> None:
    mlflow_database.make(uri.format(str(tmp_path).lstrip("/")))
    assert not [*tmp_path.iterdir()]
