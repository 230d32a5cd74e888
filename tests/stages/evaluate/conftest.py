"""A base model that is made once, since it is the same for every test."""

import shutil
from pathlib import Path

import pytest

from tasks.core.layout import Layout
from tests.stages.evaluate import house


@pytest.fixture(scope="session")
def base_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """artefacts/base_model of `house.write_base`; read only."""
    layout = Layout(tmp_path_factory.mktemp("base"))
    house.write_base(layout)
    return layout.artefacts("base_model")


@pytest.fixture
def answered(tmp_path: Path) -> Layout:
    """A run of 30 rows that is ready for `evaluate` (`house.evaluated`)."""
    return house.evaluated(tmp_path)


@pytest.fixture
def layout(tmp_path: Path, base_folder: Path) -> Layout:
    """A run with a base model and a split of 12 rows."""
    found = Layout(tmp_path)
    shutil.copytree(base_folder, found.artefacts("base_model"))
    house.write_split(found, [house.row(number) for number in range(12)])
    return found
