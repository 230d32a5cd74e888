"""SIGKILL while people decide and the runner promotes: nothing is lost, doubled or half done (tests/kills)."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]
DEEDS, IN_SAMPLE = 11, 3
"""How many deeds there are, and how many of them a sample takes."""
pytestmark = pytest.mark.slow


def killed(out: Path, *options: str) -> list[dict[str, Any]]:
    """Run the kills in a process of their own, from which each deed is forked; return its table."""
    command = [sys.executable, "-m", "tests.kills", *options, "--out", str(out)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    rows: list[dict[str, Any]] = json.loads(out.read_bytes())
    assert all(row["met"] and row["kills"] for row in rows)
    return rows


def test_what_is_killed_midway_is_neither_lost_nor_doubled_nor_half_done(tmp_path: Path) -> None:
    *each, together = killed(tmp_path / "kills.json", "--sample")
    assert len(each) == together["kills"] == IN_SAMPLE


@pytest.mark.soak
@pytest.mark.timeout(7200)
def test_what_is_killed_at_random_and_before_each_step_is_neither(tmp_path: Path) -> None:
    rows = killed(tmp_path / "kills.json")
    assert len(rows) == 2 * (DEEDS + 1) and rows[DEEDS]["kills"] == 200
