import shutil
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from tests.copies import copy_tree
from tests.governed.fixtures import agent
from tests.registry.house import House, copy, found, open_house
from tests.shared import made_once

__all__ = ["agent"]

MLFLOW = Path(".hallmark") / "mlflow" / "mlflow.db"
HOUSES = "houses"
"""Folder of the finished houses that all processes of the session copy."""


@pytest.fixture(scope="session")
def empty_registry(shared: Path) -> Path:
    """An MLflow database with its tables: making them takes three seconds, copying them none."""
    from tasks.registry.promote.mlflow_mirror import RegistryClient
    from tests.registry import mlflow_once  # noqa: F401

    def make(folder: Path) -> None:
        with RegistryClient(folder) as client:
            client.search_registered_models()

    return made_once(shared / HOUSES / "empty", make) / "mlflow" / "mlflow.db"


def make_house(root: Path, registry: Path) -> House:
    (root / MLFLOW).parent.mkdir(parents=True)
    shutil.copyfile(registry, root / MLFLOW)
    return found(root)


def copied(before: Path, root: Path) -> House:
    """A house in another place."""
    copy_tree(before, root)
    relocate(root, before, root)
    return open_house(root)


def relocate(house: Path, before: Path, after: Path) -> None:
    """Let MLflow, which alone remembers where releases lie, find those of a house that was moved or copied."""
    with closing(sqlite3.connect(house / MLFLOW)) as database, database:
        places = (before.resolve().as_uri(), after.resolve().as_uri())
        database.execute("UPDATE model_versions SET source = replace(source, ?, ?)", places)
        database.execute("UPDATE model_versions SET storage_location = replace(storage_location, ?, ?)", places)


def changed(before: Path, change: Callable[[House], object], place: Path) -> Path:
    """A house in which something more happened, its files closed, so that it can be copied in turn."""

    def make(aside: Path) -> None:
        house = copied(before, aside)
        change(house)
        house.ledger.close()
        relocate(aside, aside, place)

    return made_once(place, make)


After = Callable[..., House]


@pytest.fixture
def after(tmp_path: Path, shared: Path, founded_once: Path) -> After:
    """A function that returns a house in which these functions of a module were called since, one after the other.

    They are called once a session; what they made is copied.
    """

    def happened(*changes: Callable[[House], object], before: Path = founded_once) -> House:
        place, names = before, [before.name]
        for change in changes:
            names.append(change.__name__)
            place = changed(place, change, shared / HOUSES / change.__module__ / "+".join(names))
        return copied(place, tmp_path / "house")

    return happened


@pytest.fixture(scope="session")
def founded_once(shared: Path, empty_registry: Path) -> Path:
    return made_once(shared / HOUSES / "founded", lambda aside: make_house(aside, empty_registry).ledger.close())


@pytest.fixture(scope="session")
def evaluated_once(shared: Path, founded_once: Path) -> Path:
    return changed(founded_once, lambda house: house.evaluated("run-1"), shared / HOUSES / "evaluated")


@pytest.fixture(scope="session")
def ready_once(shared: Path, evaluated_once: Path) -> Path:
    return changed(evaluated_once, lambda house: house.package(house.run("run-1")), shared / HOUSES / "ready")


@pytest.fixture(scope="session")
def released_once(shared: Path, ready_once: Path) -> Path:
    return changed(ready_once, lambda house: house.promote(house.run("run-1")), shared / HOUSES / "released")


@pytest.fixture(scope="session")
def challenged_once(shared: Path, released_once: Path) -> Path:
    return changed(released_once, lambda house: house.ready("run-2", b"second"), shared / HOUSES / "challenged")


@pytest.fixture(scope="session")
def succeeded_once(shared: Path, challenged_once: Path) -> Path:
    return changed(challenged_once, lambda house: house.promote(house.run("run-2")), shared / HOUSES / "succeeded")


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
def folder(released: House) -> Path:
    """The release triage-1 of `released`, copied to where an attacker can write to it."""
    return copy(released.bundle(), released.root / "copied")


@pytest.fixture
def challenged(tmp_path: Path, challenged_once: Path) -> House:
    """`released`, whose run-2, with the weights `second`, is behind all its gates."""
    return copied(challenged_once, tmp_path / "house")


@pytest.fixture
def succeeded(tmp_path: Path, succeeded_once: Path) -> House:
    """`released`, whose run-2 was promoted as triage-2, with the weights `second`."""
    return copied(succeeded_once, tmp_path / "house")
