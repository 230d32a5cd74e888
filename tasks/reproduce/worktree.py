"""Worktree in which a run's commit is built again, with its own state folder.

    .hallmark/reproduced/LABEL/              replaces the checkout, with links to all entries of its root folder
        .hallmark/                           own cache, checkpoints, copies of sources, vault and tracking, all empty
            keys/vault keys/worker releases bases  links to the checkout's keys and models, which stages read
            models/                          models that the checkout has fetched
            runs/LABEL/                      the worktree

Because the state is empty, every stage is executed: no output comes from DVC's run cache, no source from a copy, and no
training run continues from a checkpoint. The vault is empty too, so that reading a source again does not restore erased
values.
"""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tasks.core.layout import EXPERIMENTS_FOLDER, Layout
from tasks.core.machine.locks import hold_exclusive_lock
from tasks.runs.git.repository import Repository
from tasks.runs.outputs import dvc
from tasks.runs.stand_in import fill_stand_in
from tasks.sources import vault_keys
from tasks.trust import keys

REPRODUCTIONS_FOLDER = "reproduced"
LINKED_PATHS = (
    "releases",
    "bases",
    str(vault_keys.KEY_FILE),
    f"{EXPERIMENTS_FOLDER}/{vault_keys.KEY_FILE}",
    "keys/worker",
)
"""Paths in the checkout's state that the reproduction links to rather than copies. Stages and supervisors only read
them."""


@contextmanager
def reproduction_worktree(checkout: Repository, label: str, commit: str, keep_worktree: bool) -> Iterator[Layout]:
    """Yield a new worktree of `commit`. When the block ends, the worktree is deleted unless `keep_worktree` is True.

    If an earlier reproduction of the same release was killed, its worktree is deleted first. Simultaneous reproductions
    of the same release wait for each other.
    """
    stand_in = checkout.root / ".hallmark" / REPRODUCTIONS_FOLDER / label
    with hold_exclusive_lock(stand_in.with_name(f".{label}.lock"), f"another reproduction of {label} is under way"):
        shutil.rmtree(stand_in, ignore_errors=True)
        try:
            yield _make_worktree(checkout, stand_in, label, commit)
        finally:
            if not keep_worktree:
                shutil.rmtree(stand_in, ignore_errors=True)


def _make_worktree(checkout: Repository, stand_in: Path, label: str, commit: str) -> Layout:
    layout = Layout(stand_in / ".hallmark" / "runs" / label)
    layout.root.parent.mkdir(parents=True)
    fill_stand_in(stand_in, checkout.root)
    theirs = checkout.root / ".hallmark"
    for path in (theirs / name for name in LINKED_PATHS):
        if path.exists():
            own = layout.state / path.relative_to(theirs)
            own.parent.mkdir(parents=True, exist_ok=True)
            own.symlink_to(path)
    if not (layout.state / "keys" / "worker").exists():  # for example on an auditor's machine; its records are not kept
        keys.create_key_pair(layout.state / "keys", "worker")
    checkout.add_worktree(layout.root, commit)
    dvc.configure_dvc(layout)
    return layout
