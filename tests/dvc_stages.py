"""Run with the DVC stages that a test chooses, ready for `tasks.runs.outputs.dvc.repro`."""

from pathlib import Path

from tasks.core.layout import Layout
from tasks.runs.outputs import dvc
from tests.tiny_project import commit, git


def run_of(home: Path, stages: str) -> Layout:
    """Write a run's worktree below `home` and return its layout; `stages` is the text of dvc.yaml."""
    root = home / ".hallmark" / "runs" / "r1"
    root.mkdir(parents=True)
    (root / "dvc.yaml").write_text(stages)
    git(root, "init", "--quiet")
    (root / ".dvc").mkdir()  # instead of `dvc init`, which takes a second
    (root / ".dvc" / ".gitignore").write_text("/config.local\n/tmp\n/cache\n")
    for name, text in dvc.FIXED_FILES.items():
        (root / name).write_bytes(text)
    commit(root, "stages")
    dvc.configure_dvc(Layout(root))
    return Layout(root)
