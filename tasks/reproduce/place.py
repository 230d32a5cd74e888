"""Where a release is built again: a worktree of its run's commit, with a state of its own.

    .hallmark/reproduced/LABEL/              stands in for the checkout: a link to everything at its top
        .hallmark/                           its own cache, checkpoints, kept sources, vault and tracking, all empty
            keys/vault keys/worker releases bases  links to the checkout's: keys and models that stages read
            models/                          what the checkout has fetched
            runs/LABEL/                      the worktree

An empty state makes it a rebuilding: no stage comes from DVC's run cache, no source from what was kept of it, and no
training from a checkpoint. The vault is empty too, so that reading a source again puts nothing back that was erased.
"""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tasks.core.layout import EXPERIMENTS, Layout
from tasks.core.locks import turn
from tasks.runs import dvc
from tasks.runs.repository import Repository
from tasks.runs.stand_in import fill
from tasks.sources import vault_keys
from tasks.trust import keys

FOLDER = "reproduced"
"""Below `.hallmark/`."""
READ = ("releases", "bases", str(vault_keys.FILE), f"{EXPERIMENTS}/{vault_keys.FILE}", "keys/worker")
"""What stages, and who supervises them, read of the checkout's state and never write."""


@contextmanager
def place(checkout: Repository, label: str, commit: str, keep: bool) -> Iterator[Layout]:
    """A worktree of `commit` with nothing made yet; gone when the block ends, however it ends, unless `keep`.

    What a killed reproduction of the same release left goes first; of two at once one waits.
    """
    stand_in = checkout.root / ".hallmark" / FOLDER / label
    with turn(stand_in.with_name(f".{label}.lock"), f"another reproduction of {label} is under way"):
        shutil.rmtree(stand_in, ignore_errors=True)
        try:
            yield _make(checkout, stand_in, label, commit)
        finally:
            if not keep:
                shutil.rmtree(stand_in, ignore_errors=True)


def _make(checkout: Repository, stand_in: Path, label: str, commit: str) -> Layout:
    layout = Layout(stand_in / ".hallmark" / "runs" / label)
    layout.root.parent.mkdir(parents=True)
    fill(stand_in, checkout.root)
    theirs = checkout.root / ".hallmark"
    for path in (theirs / name for name in READ):
        if path.exists():
            own = layout.state / path.relative_to(theirs)
            own.parent.mkdir(parents=True, exist_ok=True)
            own.symlink_to(path)
    if not (layout.state / "keys" / "worker").exists():  # on an auditor's machine, say; what it signs is not kept
        keys.create(layout.state / "keys", "worker")
    checkout.add_worktree(layout.root, commit)
    dvc.configure(layout)
    return layout
