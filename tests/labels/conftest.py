"""A checkout for each file of tests."""

from pathlib import Path

import pytest

from tests.checkouts import Checkouts


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory, checkouts: Checkouts) -> Path:
    """A checkout in which `hallmark init` was said, for all tests of a file."""
    return checkouts.ready(tmp_path_factory.mktemp("project") / "project")
