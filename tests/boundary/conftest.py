"""Supervisors of stages, for all tests of the boundary."""

from collections.abc import Iterator

import pytest

from tests.forking import Forking, importing


@pytest.fixture(scope="session")
def supervisors() -> Iterator[Forking]:
    """Processes that have imported what `hallmark-stage` does, each with a life of its own."""
    with importing("tasks.supervise.shell") as forking:
        yield forking
