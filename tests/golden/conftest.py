from pathlib import Path

import pytest

from tests.golden.past import Past, copied


@pytest.fixture
def past(request: pytest.FixtureRequest, tmp_path: Path) -> Past:
    version: str = request.param
    return copied(version, tmp_path / "house")
