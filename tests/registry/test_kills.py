"""A sample of benchmarks/kills.py: SIGKILL at random moments of deciding and promoting."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
DEEDS = 11


@pytest.mark.slow
def test_what_is_killed_at_random_is_neither_lost_nor_doubled_nor_half_done(tmp_path: Path) -> None:
    out = tmp_path / "kills.json"
    command = [sys.executable, "benchmarks/kills.py", "--quick", "--kills", "14", "--seed", "7", "--out", str(out)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    *each, together = json.loads(out.read_bytes())
    assert len(each) == DEEDS and all(row["kills"] for row in each), "every deed was killed in time"
    assert (together["kills"], together["ours"], together["met"]) == (14, 0, True)
