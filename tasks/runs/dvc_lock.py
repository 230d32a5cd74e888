"""dvc.lock, whole whatever happens to DVC.

DVC 3.67 writes dvc.lock and its own .dvc/tmp/rwlock in place, so a kill may leave half of either, and half a YAML file
can be valid. So the lock is kept aside while DVC runs. Where the copy is still there at the next start, DVC did not end
by itself: what was whole is put back, and what the stage that had just run left counts by its signed record.
"""

from collections.abc import Mapping
from io import StringIO
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML

from tasks.core import config
from tasks.core.errors import InputError
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
    return list(config.read_plain(lock)["stages"]) if lock.exists() else []


def of_stage(root: Path, stage: str) -> dict[str, Any] | None:
    """What dvc.lock says of a stage; None where it says nothing, or cannot be read."""
    try:
        return dict(config.read_plain(root / "dvc.lock")["stages"][stage])
    except (InputError, KeyError, TypeError, ValueError):
        return None


def put(root: Path, stage: str, said: Mapping[str, Any]) -> None:
    """Have dvc.lock say this of a stage."""
    keep(root)
    lock, text = root / "dvc.lock", StringIO()
    there = lock.exists() and lock.stat().st_size
    stages = config.read_plain(lock).get("stages") if there else None
    YAML().dump({"schema": "2.0", "stages": {**(stages or {}), stage: dict(said)}}, text)
    write_bytes(lock, text.getvalue().encode())
    release(root)


def _copy(root: Path) -> Path:
    return root / ".dvc" / "tmp" / "dvc.lock.before"
