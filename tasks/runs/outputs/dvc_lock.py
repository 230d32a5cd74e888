"""Access to dvc.lock, which remains complete even if DVC is killed.

DVC 3.67 writes dvc.lock and its own .dvc/tmp/rwlock in place, so a kill can leave half of either file, and half a YAML
file can be valid. A copy of dvc.lock is therefore kept while DVC runs. If the copy still exists at the next start, DVC
was killed: the copy is restored, and the outputs of the last stage are accepted by their signed record.
"""

from collections.abc import Mapping
from io import StringIO
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML

from tasks.core.documents import config
from tasks.core.errors import InputError
from tasks.core.files import write_bytes

EMPTY_LOCK = b"schema: '2.0'\nstages: {}\n"


def reset_lock(root: Path) -> None:
    """Empty dvc.lock before the first stage of a run.

    If the commit contains a dvc.lock, DVC would otherwise consider the stages in it finished, and restore the listed
    outputs from the shared cache.
    """
    if (root / "dvc.lock").exists():
        write_bytes(root / "dvc.lock", EMPTY_LOCK)


def back_up_lock(root: Path) -> None:
    """Back up dvc.lock before DVC starts in `root`, or restore the backup that remained after DVC was killed.

    No other DVC process may be running in `root`.
    """
    lock, copy, rwlock = root / "dvc.lock", _backup_path(root), root / ".dvc" / "tmp" / "rwlock"
    if not copy.exists():
        write_bytes(copy, lock.read_bytes() if lock.exists() else b"")
        return
    rwlock.unlink(missing_ok=True)
    if whole := copy.read_bytes():
        write_bytes(lock, whole)
    else:
        lock.unlink(missing_ok=True)


def remove_backup(root: Path) -> None:
    _backup_path(root).unlink(missing_ok=True)


def stage_names(root: Path) -> list[str]:
    lock = root / "dvc.lock"
    return list(config.read_plain_yaml(lock)["stages"]) if lock.exists() else []


def read_stage_entry(root: Path, stage: str) -> dict[str, Any] | None:
    """Return the entry of a stage in dvc.lock; None if there is none or the file cannot be read."""
    try:
        return dict(config.read_plain_yaml(root / "dvc.lock")["stages"][stage])
    except (InputError, KeyError, TypeError, ValueError):
        return None


def write_stage_entry(root: Path, stage: str, said: Mapping[str, Any]) -> None:
    back_up_lock(root)
    lock, text = root / "dvc.lock", StringIO()
    has_content = lock.exists() and lock.stat().st_size
    stages = config.read_plain_yaml(lock).get("stages") if has_content else None
    YAML().dump({"schema": "2.0", "stages": {**(stages or {}), stage: dict(said)}}, text)
    write_bytes(lock, text.getvalue().encode())
    remove_backup(root)


def _backup_path(root: Path) -> Path:
    return root / ".dvc" / "tmp" / "dvc.lock.before"
