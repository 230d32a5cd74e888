"""A run for each test. Its stages read in this process.

A pool of processes, each of which loads the language model, is started by the tests that are about one.
"""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tasks.stages.data.ingest import pool
from tests.stages.data.build import Run


@pytest.fixture(autouse=True, scope="package")
def no_pool() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(pool.WORKERS_VARIABLE, "1")
        yield


@pytest.fixture
def run(tmp_path: Path) -> Run:
    return Run(tmp_path)
