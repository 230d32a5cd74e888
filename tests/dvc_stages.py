"""A run of whatever stages a test names, ready for `tasks.runs.dvc.repro`."""

import os
import subprocess
import sys
from pathlib import Path

from tasks.core.layout import Layout
from tasks.runs import dvc
from tests.tiny_project import commit, git


def run_of(home: Path, stages: str) -> Layout:
    """`stages` is the text of its dvc.yaml."""
    root = home / ".hallmark" / "runs" / "r1"
    root.mkdir(parents=True)
    (root / "dvc.yaml").write_text(stages)
    git(root, "init", "--quiet")
    quiet = os.environ | {"DVC_NO_ANALYTICS": "1"}
    subprocess.run([sys.executable, "-m", "dvc", "init", "-q"], cwd=root, check=True, env=quiet)
    (root / ".dvc" / "config").write_text("[core]\n    analytics = false\n")
    commit(root, "stages")
    dvc.configure(Layout(root))
    return Layout(root)
