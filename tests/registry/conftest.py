import shutil
from pathlib import Path

import pytest

from tasks.govern import governance
from tasks.govern.ledger import open_ledger
from tests.registry.house import House, write_governance


@pytest.fixture(scope="session")
def empty_registry(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An MLflow database with its tables: making them takes three seconds, copying them none."""
    from tasks.registry.mirror import Registry

    state = tmp_path_factory.mktemp("empty")
    with Registry(state) as client:
        client.search_registered_models()
    return state / "mlflow" / "mlflow.db"


@pytest.fixture
def house(tmp_path: Path, empty_registry: Path, monkeypatch: pytest.MonkeyPatch) -> House:
    for name in ("HALLMARK_LEDGER_URL", "MLFLOW_REGISTRY_URI", "MLFLOW_TRACKING_URI"):
        monkeypatch.delenv(name, raising=False)
    state = tmp_path / ".hallmark"
    (state / "mlflow").mkdir(parents=True)
    shutil.copyfile(empty_registry, state / "mlflow" / "mlflow.db")
    write_governance(tmp_path / "governance")
    loaded = governance.load(tmp_path / "governance", state)
    governance.initialise(state, loaded.people)
    return House(tmp_path, loaded, open_ledger(state))
