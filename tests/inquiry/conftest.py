from pathlib import Path

import pytest

from tests.stages.data.build import Run
from tests.stages.data.conftest import run

__all__ = ["run"]


@pytest.fixture
def state(run: Run) -> Path:
    return run.layout.state
