import shutil
from pathlib import Path

import pytest

from tasks.policy import adopting
from tests.registry.house import House, found, open_house

MLFLOW = Path(".hallmark") / "mlflow" / "mlflow.db"


@pytest.fixture(autouse=True)
def own_services(monkeypatch: pytest.MonkeyPatch) -> None:
    """No test reaches a ledger or registry that the environment names."""
    for name in (adopting.PIN, "HALLMARK_LEDGER_URL", "MLFLOW_REGISTRY_URI", "MLFLOW_TRACKING_URI"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture(scope="session")
def empty_registry(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An MLflow database with its tables: making them takes three seconds, copying them none."""
    from tasks.registry.promote.mirror import Registry

    state = tmp_path_factory.mktemp("empty") / ".hallmark"
    with Registry(state) as client:
        client.search_registered_models()
    return state / "mlflow" / "mlflow.db"


def make_house(root: Path, registry: Path) -> House:
    (root / MLFLOW).parent.mkdir(parents=True)
    shutil.copyfile(registry, root / MLFLOW)
    return found(root)


@pytest.fixture
def house(tmp_path: Path, empty_registry: Path) -> House:
    return make_house(tmp_path / "house", empty_registry)


@pytest.fixture(scope="session")
def ready_once(tmp_path_factory: pytest.TempPathFactory, empty_registry: Path) -> Path:
    root = tmp_path_factory.mktemp("ready") / "house"
    make_house(root, empty_registry).ready("run-1")
    return root


@pytest.fixture(scope="session")
def released_once(tmp_path_factory: pytest.TempPathFactory, ready_once: Path) -> Path:
    root = shutil.copytree(ready_once, tmp_path_factory.mktemp("released") / "house")
    house = open_house(root)
    house.promote(house.run("run-1"))
    return root


@pytest.fixture
def ready(tmp_path: Path, ready_once: Path) -> House:
    """A house whose run-1 is behind all its gates."""
    return open_house(shutil.copytree(ready_once, tmp_path / "house"))


@pytest.fixture
def released(tmp_path: Path, released_once: Path) -> House:
    """A house whose run-1 was promoted as triage-1."""
    return open_house(shutil.copytree(released_once, tmp_path / "house"))
