"""The attacks that the documents tell of are those that there are."""

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]


def test_the_table_of_attacks_is_that_of_the_tests() -> None:
    command = [sys.executable, "benchmarks/attacks.py", "--check", "docs/attacks.md"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
