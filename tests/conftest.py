"""For all tests."""

import os
import signal
from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest
from hypothesis import settings

if TYPE_CHECKING:
    from tests.checkouts import Checkouts

# How long an example takes says something of the machine and its neighbours, nothing of the code.
settings.register_profile("patient", deadline=None)
settings.load_profile("patient")

# Started in the background by a shell, this process ignores SIGINT and so would every process that a test interrupts.
signal.signal(signal.SIGINT, signal.default_int_handler)


UMASK = os.umask(0o022)
os.umask(UMASK)


@pytest.fixture(autouse=True)
def own_umask() -> Iterator[None]:
    """Commands set theirs for good; one that a test calls in this process leaves the next test none of it."""
    os.umask(UMASK)
    yield
    os.umask(UMASK)


@pytest.fixture(scope="session")
def checkouts(tmp_path_factory: pytest.TempPathFactory) -> "Checkouts":
    """Finished checkouts to copy, which all processes of this session share."""
    from tests.checkouts import Checkouts

    base = tmp_path_factory.getbasetemp()
    return Checkouts((base.parent if "PYTEST_XDIST_WORKER" in os.environ else base) / "checkouts")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Files that hold slow tests come first, so that at the end no process waits for another's long file."""
    slow = {item.path for item in items if item.get_closest_marker("slow")}
    items.sort(key=lambda item: item.path not in slow)
