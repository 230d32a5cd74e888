"""A run of whatever stages a test names, ready for `tasks.runs.dvc.repro`."""

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
    (root / ".dvc").mkdir()  # as `dvc init` makes it, which takes a second
    (root / ".dvc" / ".gitignore").write_text("/config.local\n/tmp\n/cache\n")
    for name, text in dvc.OURS.items():
        (root / name).write_bytes(text)
    commit(root, "stages")
    dvc.configure(Layout(root))
    return Layout(root)
