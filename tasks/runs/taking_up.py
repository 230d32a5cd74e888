"""A run that another machine began goes on here: from its ref and its outputs, which were pushed before it parked.

The ledger says which installation has taken a run up last. Everywhere else it stops, so that no two execute it.
"""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tasks.core.errors import InputError, Refused
from tasks.core.layout import Layout
from tasks.ledger.ledger import Ledger, open_ledger
from tasks.runs import dvc, installation, records, run
from tasks.runs.repository import Repository, worktree_git
from tasks.runs.request import NO_RUN

TAKEN_UP = "run.taken_up"
"""Kind of ledger entries; their subject is the run's id, their body names the installation."""


def is_elsewhere(ledger: Ledger, root: Path, run_id: str) -> bool:
    """Whether another installation has taken the run up since this one began or took it up."""
    taken = ledger.entries(TAKEN_UP, run_id)
    return bool(taken) and taken[-1].body.get("installation") != installation.of(root)


def take_up(root: Path, run_id: str) -> None:
    """Fetch a run with its outputs, in place of what is here of it, and put on the ledger that it is here now.

    Raises InputError for a run that the ledger does not know as resolved or where no remote is named, Unavailable where
    a remote is away, Refused where the ref holds other code, parameters or inputs than were asked for, or outputs that
    no stage of it left. What was here of it is here as before then.
    """
    remote, ledger = os.environ.get(run.GIT_REMOTE), open_ledger(root / ".hallmark")
    checkout, layout, ref = Repository.open(root), run.layout_of(root, run_id), run.ref_of(run_id)
    if run.on_record(root, run_id) is None or not ledger.entries(records.RESOLVED, run_id):
        raise InputError(NO_RUN.format(run_id))
    if not remote:
        raise InputError(
            f"run {run_id} is on another machine; to go on with it here, set {run.GIT_REMOTE} to the git remote that "
            "it was pushed to, and DVC's default remote to the one that has its outputs"
        )
    commit = checkout.fetch(remote, ref)
    aside = layout.request.with_suffix(".aside")
    with _set_aside(layout):
        checkout.add_worktree(layout.root, commit)
        if not run.is_here(layout):
            raise Refused(f"{ref} at {remote} holds no request for the run; nothing of it was taken")
        run.open_run(root, run_id).as_asked()
        records.as_left(ledger, layout, run_id)
        layout.request.rename(aside)  # put back last, as `create` writes it
        dvc.configure(layout)
        dvc.pull(layout)
        checkout.git("update-ref", ref, commit)
        aside.rename(layout.request)
    ledger.append(TAKEN_UP, run_id, {"installation": installation.of(root)})


@contextmanager
def _set_aside(layout: Layout) -> Iterator[None]:
    """What is here of a run makes room for the block. It comes back where the block fails; after a kill, at the next
    try."""
    kept = layout.state / "replaced" / layout.root.name
    places = (layout.root, worktree_git(layout.root))
    if kept.exists():
        _put_back(kept, places)
    kept.mkdir(parents=True)
    for place in filter(Path.exists, places):
        place.rename(kept / place.name)
    try:
        yield
    except BaseException:
        for place in places:
            shutil.rmtree(place, ignore_errors=True)
        _put_back(kept, places)
        raise
    shutil.rmtree(kept)


def _put_back(kept: Path, places: tuple[Path, ...]) -> None:
    """The worktree last: with it the run is here."""
    for place in reversed(places):
        if (kept / place.name).exists():
            shutil.rmtree(place, ignore_errors=True)
            (kept / place.name).rename(place)
    shutil.rmtree(kept)
