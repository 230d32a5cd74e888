"""A worktree of a run in which data stages are called one by one."""

from pathlib import Path

import pytest

from tests.stages.data.build import Run


@pytest.fixture
def run(tmp_path: Path) -> Run:
    root = tmp_path / ".hallmark" / "runs" / "20260101-000000-abcd"
    root.mkdir(parents=True)
    return Run(root)
