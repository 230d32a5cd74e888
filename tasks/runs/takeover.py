"""Takeover of a run that another machine began, with the ref and the outputs that it pushed.

The ledger records which installation took over the run last. On all other machines the run stops, so that two machines
never execute the same run.
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
from tasks.core.formatting import format_exact_time
from tasks.core.layout import Layout
from tasks.ledger.ledger import Entry, Ledger, open_ledger
from tasks.runs import installation, run, run_entries
from tasks.runs.git.repository import Repository, worktree_git_folder
from tasks.runs.outputs import cache_lock, dvc, dvc_lock
from tasks.runs.request import NO_RUN_MESSAGE

TAKEOVER_KIND = "run.taken_up"
"""Kind of ledger entry about a takeover. Its subject is the run id; its body names the installation and its machine."""
ELSEWHERE_MESSAGE = (
    "run {0} was taken up on another machine ({1}) and goes on there; `hallmark run --resume {0}` takes it back"
)
CHAMPION_STAGES = {"predict@champion", "probe@champion"}
"""Stages that load the champion."""


def is_on_other_machine(ledger: Ledger, root: Path, run_id: str) -> bool:
    return describe_other_machine(ledger, root, run_id) is not None


def describe_other_machine(ledger: Ledger, root: Path, run_id: str) -> str | None:
    """Return a description of the machine that has taken over the run; None if the run continues here."""
    takeovers = ledger.entries(TAKEOVER_KIND, run_id)
    if not takeovers or takeovers[-1].body.get("installation") == installation.installation_id(root):
        return None
    return _installation_in_words(takeovers[-1])


def take_over_run(root: Path, run_id: str) -> float:
    """Fetch a run with its outputs from the remotes, and record in the ledger that it continues on this machine.

    Local files of the run are replaced. If the takeover fails, they are restored.

    Returns:
        Duration of the download in seconds.

    Raises:
        InputError: The ledger has no resolved run with this id, or no remote is configured.
        Unavailable: A remote cannot be reached, or the champion's release is not on this machine.
        Refused: Fetched code, parameters, inputs or outputs differ from those in the ledger, or another machine has
            taken over the run in the meantime.
    """
    remote, ledger = os.environ.get(run.GIT_REMOTE_VARIABLE), open_ledger(root / ".hallmark")
    before = _last_takeover(ledger, run_id)
    checkout, layout, ref = Repository.open(root), run.run_layout(root, run_id), run.run_ref(run_id)
    if run.find_recorded_request(root, run_id) is None or not ledger.entries(run_entries.RESOLVED_KIND, run_id):
        raise InputError(NO_RUN_MESSAGE.format(run_id))
    if not remote:
        raise InputError(
            f"run {run_id} is on another machine; to go on with it here, set {run.GIT_REMOTE_VARIABLE} to the git "
            "remote that it was pushed to, and DVC's default remote to the one that has its outputs"
        )
    started = time.monotonic()
    commit = checkout.fetch_ref(remote, ref)
    seconds = time.monotonic() - started
    aside = layout.request_path.with_suffix(".aside")
    with _replacing_local_files(layout):
        checkout.add_worktree(layout.root, commit)
        if not run.is_on_this_machine(layout):
            raise Refused(f"{ref} at {remote} holds no request for the run; nothing of it was taken")
        run.open_run(root, run_id).require_unchanged()
        run_entries.require_recorded_outputs(ledger, layout, run_id)
        _require_champion(layout)
        layout.request_path.rename(aside)  # renamed back last, as `create` writes it last
        dvc.configure_dvc(layout)
        started = time.monotonic()
        with cache_lock.hold_for_use(layout.state):
            dvc.pull_outputs(layout)
        seconds += time.monotonic() - started
        checkout.run_git("update-ref", ref, commit)
        aside.rename(layout.request_path)
        _record_takeover(ledger, root, run_id, before)
    return seconds


def _record_takeover(ledger: Ledger, root: Path, run_id: str, before: int) -> None:
    with ledger.transaction():
        if _last_takeover(ledger, run_id) > before and (other := describe_other_machine(ledger, root, run_id)):
            raise Refused(f"run {run_id} was taken up on another machine meanwhile ({other}); it goes on there")
        ledger.append(
            TAKEOVER_KIND, run_id, {"installation": installation.installation_id(root), "machine": socket.gethostname()}
        )


def _last_takeover(ledger: Ledger, run_id: str) -> int:
    takeovers = ledger.entries(TAKEOVER_KIND, run_id)
    return takeovers[-1].seq if takeovers else 0


def _installation_in_words(entry: Entry) -> str:
    machine = entry.body.get("machine")
    named = f"installation {entry.body.get('installation')}, since {format_exact_time(entry.time)}"
    return f"{machine}, {named}" if machine else named


def _require_champion(layout: Layout) -> None:
    """Verify that the champion's release is on this machine, unless the stages that load it have already run.

    Releases are not pushed to a remote.
    """
    champion = files.read_json(layout.champion_path)
    if champion is None or CHAMPION_STAGES.issubset(dvc_lock.stage_names(layout.root)):
        return
    if not (payload := layout.state / champion["payload"]).is_dir():
        raise Unavailable(
            f"the run is compared with {champion['release']}, whose release is not on this machine: copy the folder "
            f"{payload.parent} from the machine that promoted it, then the same command again"
        )


@contextmanager
def _replacing_local_files(layout: Layout) -> Iterator[None]:
    """Move the local files of a run to another folder during the block, and remove them afterwards.

    If the block fails, the files are restored. If the process is killed, the next call restores them.
    """
    kept = layout.state / "replaced" / layout.root.name
    places = (layout.root, worktree_git_folder(layout.root))
    if kept.exists():
        _restore_folders(kept, places)
    kept.mkdir(parents=True)
    for place in filter(Path.exists, places):
        place.rename(kept / place.name)
    try:
        yield
    except BaseException:
        for place in places:
            shutil.rmtree(place, ignore_errors=True)
        _restore_folders(kept, places)
        raise
    _remove_folder(kept)


def _restore_folders(backup: Path, folders: tuple[Path, ...]) -> None:
    """Restore the moved folders. The worktree is restored last, because a run with a worktree counts as present."""
    for place in reversed(folders):
        if (backup / place.name).exists():
            shutil.rmtree(place, ignore_errors=True)
            (backup / place.name).rename(place)
    _remove_folder(backup)


def _remove_folder(folder: Path) -> None:
    """Rename a folder and then remove it, so that a partly removed folder is never restored."""
    gone = folder.with_name(f"{folder.name}.gone")
    shutil.rmtree(gone, ignore_errors=True)  # left by a process that was killed within the next two lines
    folder.rename(gone)
    shutil.rmtree(gone)
