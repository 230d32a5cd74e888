"""A run that another machine began goes on here: from its ref and its outputs, which were pushed before it parked.

The ledger says which installation has taken a run up last. Everywhere else it stops, so that no two execute it.
"""

import os
import shutil
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tasks.core import files
from tasks.core.errors import InputError, Refused, Unavailable
from tasks.core.layout import Layout
from tasks.ledger.ledger import Entry, Ledger, open_ledger
from tasks.runs import dvc, dvc_lock, installation, records, run
from tasks.runs.repository import Repository, worktree_git
from tasks.runs.request import NO_RUN

TAKEN_UP = "run.taken_up"
"""Kind of ledger entries; their subject is the run's id, their body names the installation and its machine."""
ELSEWHERE = "run {0} was taken up on another machine ({1}) and goes on there; `hallmark run --resume {0}` takes it back"
PREDICTED = "predict@champion"
"""The stage that needs the champion's release."""


def is_elsewhere(ledger: Ledger, root: Path, run_id: str) -> bool:
    """Whether another installation has taken the run up since this one began or took it up."""
    return where(ledger, root, run_id) is not None


def where(ledger: Ledger, root: Path, run_id: str) -> str | None:
    """Which other machine has taken the run up; None where it goes on here."""
    taken = ledger.entries(TAKEN_UP, run_id)
    if not taken or taken[-1].body.get("installation") == installation.of(root):
        return None
    return _words(taken[-1])


def take_up(root: Path, run_id: str) -> float:
    """Fetch a run with its outputs, in place of what is here of it, and put on the ledger that it is here now. Returns
    the seconds of the download.

    Raises InputError for a run that the ledger does not know as resolved or where no remote is named, Unavailable where
    a remote is away or the champion's release is, Refused where the ref holds other code, parameters or inputs than
    were asked for, or outputs that no stage of it left, and where another machine was faster. What was here of it is
    here as before then.
    """
    remote, ledger = os.environ.get(run.GIT_REMOTE), open_ledger(root / ".hallmark")
    before = _taken_up(ledger, run_id)
    checkout, layout, ref = Repository.open(root), run.layout_of(root, run_id), run.ref_of(run_id)
    if run.on_record(root, run_id) is None or not ledger.entries(records.RESOLVED, run_id):
        raise InputError(NO_RUN.format(run_id))
    if not remote:
        raise InputError(
            f"run {run_id} is on another machine; to go on with it here, set {run.GIT_REMOTE} to the git remote that "
            "it was pushed to, and DVC's default remote to the one that has its outputs"
        )
    started = time.monotonic()
    commit = checkout.fetch(remote, ref)
    seconds = time.monotonic() - started
    aside = layout.request.with_suffix(".aside")
    with _set_aside(layout):
        checkout.add_worktree(layout.root, commit)
        if not run.is_here(layout):
            raise Refused(f"{ref} at {remote} holds no request for the run; nothing of it was taken")
        run.open_run(root, run_id).as_asked()
        records.as_left(ledger, layout, run_id)
        _require_champion(layout)
        layout.request.rename(aside)  # put back last, as `create` writes it
        dvc.configure(layout)
        started = time.monotonic()
        dvc.pull(layout)
        seconds += time.monotonic() - started
        checkout.git("update-ref", ref, commit)
        aside.rename(layout.request)
        _record(ledger, root, run_id, before)
    return seconds


def _record(ledger: Ledger, root: Path, run_id: str, before: int) -> None:
    """Put on the ledger that the run is here now. Raises Refused where another machine did so since `before`."""
    with ledger.transaction():
        if _taken_up(ledger, run_id) > before and (other := where(ledger, root, run_id)):
            raise Refused(f"run {run_id} was taken up on another machine meanwhile ({other}); it goes on there")
        ledger.append(TAKEN_UP, run_id, {"installation": installation.of(root), "machine": socket.gethostname()})


def _taken_up(ledger: Ledger, run_id: str) -> int:
    """Number of the last entry that says so; 0 where none does."""
    taken = ledger.entries(TAKEN_UP, run_id)
    return taken[-1].seq if taken else 0


def _words(entry: Entry) -> str:
    machine = entry.body.get("machine")
    named = f"installation {entry.body.get('installation')}, since {entry.time:%Y-%m-%d %H:%M:%S} UTC"
    return f"{machine}, {named}" if machine else named


def _require_champion(layout: Layout) -> None:
    """Raises Unavailable where a run has yet to be compared with a champion whose release is on another machine alone:
    releases lie where they were made, and go by no remote."""
    champion = files.read_json(layout.champion)
    if champion is None or PREDICTED in dvc_lock.stages(layout.root):
        return
    if not (payload := layout.state / champion["payload"]).is_dir():
        raise Unavailable(
            f"the run is compared with {champion['release']}, whose release is not on this machine: copy the folder "
            f"{payload.parent} from the machine that promoted it, then the same command again"
        )


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
    _discard(kept)


def _put_back(kept: Path, places: tuple[Path, ...]) -> None:
    """The worktree last: with it the run is here."""
    for place in reversed(places):
        if (kept / place.name).exists():
            shutil.rmtree(place, ignore_errors=True)
            (kept / place.name).rename(place)
    _discard(kept)


def _discard(kept: Path) -> None:
    """Under another name first, which nobody looks for: what is half removed is never put back."""
    gone = kept.with_name(f"{kept.name}.gone")
    shutil.rmtree(gone, ignore_errors=True)  # of somebody who was killed within the next two lines
    kept.rename(gone)
    shutil.rmtree(gone)
