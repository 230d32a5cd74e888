"""Diagnostics of the state below .hallmark: permissions, private keys and free disk space."""

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

from infra.doctor.finding import Finding
from tasks.core.files import STATE_UMASK
from tasks.policy.people import OPTIONAL_MACHINES
from tasks.sources import vault, vault_keys

MIN_FREE_GIB = 5.0
"""Minimum free disk space in GiB. A run of the sample writes 1 GiB, including copies of a small model. Larger models
need several times their own size."""


def check_state(root: Path) -> Iterator[Finding]:
    folder = root / ".hallmark"
    if unfinished := next(root.glob(f".{folder.name}.*"), None):  # an unfinished folder of `files.whole_folder`
        yield Finding(
            f"a restore was cut short and left {unfinished}, keys among it", "hallmark restore BACKUP once more"
        )
    if not folder.is_dir():
        if not unfinished:
            yield Finding("there is none yet", "hallmark init")
        return
    about = folder.stat()
    if about.st_uid != os.getuid():
        yield Finding(f"{folder} belongs to another user ({about.st_uid})", f"work as that user, or chown -R {folder}")
    elif not os.access(folder, os.W_OK | os.X_OK):
        yield Finding(f"{folder} cannot be written", f"chmod u+rwx {folder}")
    else:
        yield Finding(f"{folder}, for its owner alone")


def check_keys(root: Path) -> Iterator[Finding]:
    """Verify that other users cannot read the private keys, and that the vault key is available if a vault exists."""
    state = root / ".hallmark"
    folder = state / "keys"
    key_files = sorted(path for path in folder.glob("*") if path.is_file() and path.suffix != ".pub")
    for path in key_files:
        if path.stat().st_mode & STATE_UMASK:
            yield Finding(f"others can read {path}", f"chmod 600 {path}")
    if vault.vault_exists(state):
        vault_keys.load_keys(state)
    machines = [name for name in ("gate", "ledger") if name not in OPTIONAL_MACHINES]
    absent = [name for name in machines if not (folder / name).exists()]
    if folder.is_dir() and absent:
        yield Finding(
            f"no private key of {', '.join(absent)} here; a machine that signs in their name needs it",
            "put it into .hallmark/keys; if there was never one, hallmark init",
        )
    elif folder.is_dir():
        yield Finding(f"{len(key_files)} private keys, for their owner alone")


def check_disk(root: Path) -> Iterator[Finding]:
    free = shutil.disk_usage(root).free / 2**30
    enough = free >= MIN_FREE_GIB
    yield Finding(
        f"{free:.0f} GiB are free at {root}" if enough else f"only {free:.1f} GiB are free at {root}",
        "" if enough else f"make room: a run of the sample needs up to {MIN_FREE_GIB:.0f} GiB",
    )
