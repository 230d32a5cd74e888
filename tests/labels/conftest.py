"""A checkout for each file of tests, and a round for each test."""

import random
from pathlib import Path

import pytest

from tests.checkouts import Checkouts
from tests.labels.rounds import start, texts, write_inputs


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory, checkouts: Checkouts) -> Path:
    """A checkout in which `hallmark init` was said, for all tests of a file."""
    return checkouts.ready(tmp_path_factory.mktemp("project") / "project")


@pytest.fixture
def inputs(tmp_path: Path) -> list[str]:
    return write_inputs(tmp_path / "in", texts(12))


@pytest.fixture
def name(request: pytest.FixtureRequest) -> str:
    """An id of a round for each test."""
    return f"r-{random.Random(request.node.name).randrange(10**9)}"


@pytest.fixture
def begun(project: Path, name: str, inputs: list[str]) -> str:
    start(project, name, inputs)
    return name
