from pathlib import Path

import pytest

from tests.golden.past import Past, copied
from tests.registry.conftest import own_services

__all__ = ["own_services"]


@pytest.fixture
def past(request: pytest.FixtureRequest, tmp_path: Path) -> Past:
    version: str = request.param
    return copied(version, tmp_path / "house")
