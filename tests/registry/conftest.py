import shutil
import sqlite3
from collections.abc import Callable
from contextlib import closing
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
    from tests.registry import mlflow_once  # noqa: F401

    state = tmp_path_factory.mktemp("empty") / ".hallmark"
    with Registry(state) as client:
        client.search_registered_models()
    return state / "mlflow" / "mlflow.db"


def make_house(root: Path, registry: Path) -> House:
    (root / MLFLOW).parent.mkdir(parents=True)
    shutil.copyfile(registry, root / MLFLOW)
    return found(root)


def copied(before: Path, root: Path) -> House:
    """A house in another place. Only MLflow remembers where releases lie."""
    shutil.copytree(before, root, symlinks=True)
    with closing(sqlite3.connect(root / MLFLOW)) as database, database:
        places = (before.resolve().as_uri(), root.resolve().as_uri())
        database.execute("UPDATE model_versions SET source = replace(source, ?, ?)", places)
        database.execute("UPDATE model_versions SET storage_location = replace(storage_location, ?, ?)", places)
    return open_house(root)


def changed(before: Path, change: Callable[[House], object], factory: pytest.TempPathFactory) -> Path:
    """A house in which something more happened, its files closed, so that it can be copied in turn."""
    house = copied(before, factory.mktemp("house") / "house")
    change(house)
    house.ledger.close()
    return house.root


@pytest.fixture(scope="session")
def founded_once(tmp_path_factory: pytest.TempPathFactory, empty_registry: Path) -> Path:
    house = make_house(tmp_path_factory.mktemp("founded") / "house", empty_registry)
    house.ledger.close()
    return house.root


@pytest.fixture(scope="session")
def evaluated_once(tmp_path_factory: pytest.TempPathFactory, founded_once: Path) -> Path:
    return changed(founded_once, lambda house: house.evaluated("run-1"), tmp_path_factory)


@pytest.fixture(scope="session")
def ready_once(tmp_path_factory: pytest.TempPathFactory, evaluated_once: Path) -> Path:
    return changed(evaluated_once, lambda house: house.package(house.run("run-1")), tmp_path_factory)


@pytest.fixture(scope="session")
def released_once(tmp_path_factory: pytest.TempPathFactory, ready_once: Path) -> Path:
    return changed(ready_once, lambda house: house.promote(house.run("run-1")), tmp_path_factory)


@pytest.fixture(scope="session")
def challenged_once(tmp_path_factory: pytest.TempPathFactory, released_once: Path) -> Path:
    return changed(released_once, lambda house: house.ready("run-2", b"second"), tmp_path_factory)


@pytest.fixture(scope="session")
def succeeded_once(tmp_path_factory: pytest.TempPathFactory, challenged_once: Path) -> Path:
    return changed(challenged_once, lambda house: house.promote(house.run("run-2")), tmp_path_factory)


@pytest.fixture
def house(tmp_path: Path, founded_once: Path) -> House:
    """With people, policy and keys, and no run yet."""
    return copied(founded_once, tmp_path / "house")


@pytest.fixture
def evaluated(tmp_path: Path, evaluated_once: Path) -> House:
    """A house whose run-1 is behind its data and evaluation gates, and has no package yet."""
    return copied(evaluated_once, tmp_path / "house")


@pytest.fixture
def ready(tmp_path: Path, ready_once: Path) -> House:
    """A house whose run-1 is behind all its gates."""
    return copied(ready_once, tmp_path / "house")


@pytest.fixture
def released(tmp_path: Path, released_once: Path) -> House:
    """A house whose run-1 was promoted as triage-1, with the weights `adapter`."""
    return copied(released_once, tmp_path / "house")


@pytest.fixture
def challenged(tmp_path: Path, challenged_once: Path) -> House:
    """`released`, whose run-2, with the weights `second`, is behind all its gates."""
    return copied(challenged_once, tmp_path / "house")


@pytest.fixture
def succeeded(tmp_path: Path, succeeded_once: Path) -> House:
    """`released`, whose run-2 was promoted as triage-2, with the weights `second`."""
    return copied(succeeded_once, tmp_path / "house")
