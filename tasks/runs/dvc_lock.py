"""dvc.lock, whole whatever happens to DVC.

DVC 3.67 writes dvc.lock and its own .dvc/tmp/rwlock in place, so a kill may leave half of either, and half a YAML file
can be valid. So the lock is kept aside while DVC runs. Where the copy is still there at the next start, DVC did not end
by itself: what was whole is put back, and the stage that had just run comes from the run cache.
"""

from pathlib import Path

from tasks.core import config
from tasks.core.files import write_bytes

EMPTY = b"schema: '2.0'\nstages: {}\n"


def begin(root: Path) -> None:
    """Before anything of a run is made: nothing of it is known to DVC, whatever dvc.lock its commit holds.

    By that of a commit DVC would take a stage for done and check out of the shared cache whatever outputs it names.
    """
    if (root / "dvc.lock").exists():
        write_bytes(root / "dvc.lock", EMPTY)


def keep(root: Path) -> None:
    """Before DVC starts in `root`, where no other DVC runs."""
    lock, copy, rwlock = root / "dvc.lock", _copy(root), root / ".dvc" / "tmp" / "rwlock"
    if not copy.exists():
        write_bytes(copy, lock.read_bytes() if lock.exists() else b"")
        return
    rwlock.unlink(missing_ok=True)
    if whole := copy.read_bytes():
        write_bytes(lock, whole)
    else:
        lock.unlink(missing_ok=True)


def release(root: Path) -> None:
    """Once DVC has ended by itself, well or not."""
    _copy(root).unlink(missing_ok=True)


def stages(root: Path) -> list[str]:
    """The stages whose outputs a dvc.lock names."""
    lock = root / "dvc.lock"
    return list(config.read_yaml(lock)["stages"]) if lock.exists() else []


def _copy(root: Path) -> Path:
    return root / ".dvc" / "tmp" / "dvc.lock.before"
