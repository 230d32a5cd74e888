"""MLflow's tables are whole, whoever makes them at the same time and whoever is killed while doing so."""

import signal
from pathlib import Path

import pytest

from tasks.core.databases import mlflow_database
from tests import forking
from tests.forking import Forked
from tests.patience import wait_until

SCRIPT = (
    "import sys; from tasks.core.databases import mlflow_database; mlflow_database.create_mlflow_tables(sys.argv[1])"
)


def test_whoever_makes_it_and_is_killed_the_database_is_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each process has a /tmp of its own, as a stage in its sandbox has."""
    file = tmp_path / "mlflow" / "mlflow.db"
    uri = f"sqlite:///{file}"
    with forking.importing("tasks.core.databases.mlflow_database", "tests.registry.mlflow_once") as processes:

        def makes(name: str) -> Forked:
            (tmp_path / name).mkdir()
            monkeypatch.setenv("TMPDIR", str(tmp_path / name))
            return processes.start(SCRIPT, uri)

        killed = makes("killed")
        wait_until(
            lambda: [*tmp_path.glob("mlflow/making-*/mlflow.db")], "the first to be at its migrations", every=0.01
        )
        killed.send_signal(signal.SIGKILL)
        killed.communicate()
        assert killed.returncode == -signal.SIGKILL and not file.exists()
        both = [makes(name) for name in ("one", "other")]
        said = [process.communicate() for process in both]
    assert [process.returncode for process in both] == [0, 0], said
    from mlflow import MlflowClient

    client = MlflowClient(uri)
    assert [it.name for it in client.search_experiments()] == ["Default"]
    made = file.stat().st_ino
    client.create_experiment("kept")
    mlflow_database.create_mlflow_tables(uri)
    assert file.stat().st_ino == made and MlflowClient(uri).get_experiment_by_name("kept")


@pytest.mark.parametrize("uri", ["http://127.0.0.1:1", "postgresql://h/d", "sqlite://", "sqlite:////{0}/a.db?mode=ro"])
def test_other_addresses_are_left_to_mlflow(tmp_path: Path, uri: str) -> None:
    mlflow_database.create_mlflow_tables(uri.format(str(tmp_path).lstrip("/")))
    assert not [*tmp_path.iterdir()]
