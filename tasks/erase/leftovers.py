"""Removal of files in which something of the person is left, although no run names them any more.

A file is removed under the lock of whoever may use it, and left if it is used. What holds a short value alone is left
too, because the value may be somebody else's. What is left is listed, and blocks the certificate until it is decided.
"""

from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext
from pathlib import Path

from tasks.cleanup import run_files
from tasks.cleanup.checkpoints import CHECKPOINTS_FOLDER
from tasks.core.errors import HallmarkError
from tasks.core.layout import EXPERIMENTS_FOLDER
from tasks.core.machine.locks import try_exclusive_lock
from tasks.erase import remote_outputs, verification
from tasks.erase.search_terms import SHORT_VALUE
from tasks.erase.subject import Subject
from tasks.erase.verification import FoundPlace
from tasks.runs.checkout import Checkout
from tasks.runs.outputs import cache_lock
from tasks.runs.run_lock import hold_run_lock
from tasks.suppression.place_kinds import DELETE, OTHER, Kind, Verb

LEFTOVER_KINDS: tuple[Kind, ...] = ("source-cache", "runs", "cache", "remote", "checkpoints", "audits", OTHER)
"""Kinds whose files are removed, unless it was decided to keep them. OTHER needs a decision to delete."""
KEPT_FOLDERS = ("models", "labels")
"""Folders below `.hallmark` whose files are never removed: base models, and labels that people gave."""
DATABASE_SUFFIXES = (".db", ".db-wal", ".db-shm")


def remove_leftovers(here: Checkout, known: Subject, verbs: Mapping[Kind, Verb]) -> list[FoundPlace]:
    """Search all files, remove those in which something is left that no run names, and return the other places.

    Raises:
        Unavailable: Runs take files from the caches for minutes.
    """
    places = verification.search_all(here, known).places
    with cache_lock.hold_for_removal(here.state):
        return [place for place in places if not (_is_removable(place, verbs) and _remove(here, place))]


def _is_removable(place: FoundPlace, verbs: Mapping[Kind, Verb]) -> bool:
    """Return whether nothing of these keeps a file: a decision, its kind, or what depends on it."""
    relative = Path(place.path)
    first, *rest = relative.parts
    folder = rest[0] if first == EXPERIMENTS_FOLDER and rest else first
    return (
        verbs.get(place.kind, "" if place.kind == OTHER else DELETE) == DELETE
        and place.kind in LEFTOVER_KINDS
        and place.what != [SHORT_VALUE]
        and relative.suffix not in DATABASE_SUFFIXES
        and folder not in KEPT_FOLDERS
        and not _is_kept_of_run(relative, place.kind)
    )


def _remove(here: Checkout, place: FoundPlace) -> bool:
    """Remove a file, link or empty folder unless it is used now. Return whether it was removed."""
    base = Path(remote_outputs.remote_url(here.root) or "") if place.kind == "remote" else here.state
    relative = Path(place.path)
    path = base / relative
    if path.is_symlink() and len(relative.parts) == 1:  # what it leads to would be searched no more
        return False
    with _try_lock(here.state, relative, place.kind) as is_unused:
        return is_unused and _remove_path(path)


def _remove_path(path: Path) -> bool:
    if path.is_symlink() or not path.is_dir():
        run_files.remove(path)
        return True
    try:
        path.rmdir()  # what is left in it was left for a reason
    except FileNotFoundError:
        return True
    except OSError:
        return False
    return True


def _is_kept_of_run(relative: Path, kind: Kind) -> bool:
    """Return whether a file is one that stays of a run, such as its evidence, or a journal."""
    if kind != "runs":
        return False
    _, *rest = relative.parts[relative.parts.index("runs") :]
    return len(rest) < 2 or rest[1] in run_files.KEPT_NAMES


def _try_lock(state: Path, relative: Path, kind: Kind) -> AbstractContextManager[bool]:
    """Hold the lock of whoever may use a file. The block gets False if it is used now."""
    parts = relative.parts
    if kind == "runs":
        return _succeeds(hold_run_lock(state, parts[parts.index("runs") + 1], wait_seconds=0))
    first = {"source-cache": "ingested", "checkpoints": CHECKPOINTS_FOLDER}.get(kind, "")
    if first not in parts or len(parts) < parts.index(first) + 4:
        return nullcontext(True)
    folder = state.joinpath(*parts[: parts.index(first) + 3])
    return try_exclusive_lock(folder / ".lock" if kind == "source-cache" else folder.with_suffix(".lock"))


@contextmanager
def _succeeds(lock: AbstractContextManager[None]) -> Iterator[bool]:
    try:
        lock.__enter__()
    except HallmarkError:  # it is used, or it is the folder of no run
        yield False
        return
    try:
        yield True
    finally:
        lock.__exit__(None, None, None)
