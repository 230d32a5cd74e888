"""Checkpoints: written completely or not at all, verified before use, and limited to the newest two.

Checkpoints are not outputs of DVC. Their folder is named after the digest of all inputs that affect the result. A run
can therefore use the checkpoints of a killed run exactly if it would compute the same result. DeepSpeed writes the
trained weights and the optimizer's state. Learning rate, data order and random numbers follow from the step and are not
saved.
"""

import re
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryFile
from typing import Any

from tasks.core.errors import Refused, Unavailable, is_disk_full
from tasks.core.files import read_json, sha256_bytes, sha256_file, tree_manifest, write_json
from tasks.core.json_text import canonical_json
from tasks.core.machine.locks import hold_exclusive_lock

KEPT_CHECKPOINTS = 2
FULL_DISK_BYTES = 1 << 20
"""Number of free bytes below which a disk is considered full after a failed write."""
CHECKPOINT_NAME_PATTERN = re.compile(r"step-\d{9}")
MANIFEST_FILE = "manifest.json"
STATE_FOLDER = "state"
"""Name of the folder in a checkpoint that DeepSpeed writes to. DeepSpeed calls the name a tag."""
RANK_FILE_PATTERN = re.compile(r"zero_pp_rank_(\d+)_")
"""Pattern that occurs in the names of files that a single worker writes and reads. The first worker writes all other
files."""


@contextmanager
def lock_checkpoint_folder(folder: Path) -> Iterator[Path]:
    """Create a folder and lock it for this process. Another run with the same inputs waits for the lock.

    The folder is removed if the block succeeds, and kept for a later run if it fails.
    """
    lock = folder.with_suffix(".lock")
    for odd in (lock, folder):
        if odd.is_symlink() or (odd.exists() and odd.is_dir() != (odd is folder)):
            raise Refused(f"{odd} is not what a training left there; look what it is, and remove it")
    with hold_exclusive_lock(lock, "another run trains on the same inputs"):
        folder.mkdir(parents=True, exist_ok=True)
        yield folder
        shutil.rmtree(folder)  # under the lock; a run that waits for it creates it again


@dataclass(frozen=True)
class Checkpoint:
    folder: Path
    step: int
    curve: list[dict[str, Any]]
    """Points of the training curve, one for each completed optimizer step."""
    workers: int
    state: dict[str, Any]
    """Summary of the engine's state when the checkpoint was written (`verification/engine_state.py`)."""
    inputs: str = ""
    """Value of `Job.inputs` in the training run that wrote the checkpoint."""


def unfinished_folder(folder: Path, step: int) -> Path:
    return folder / f".step-{step:09d}"


def create_empty_folder(path: Path) -> None:
    """Remove what is at a path, and create an empty folder there. Only one worker may call this function."""
    shutil.rmtree(path, ignore_errors=True)
    path.mkdir(parents=True)


@contextmanager
def full_disk_as_unavailable(folder: Path) -> Iterator[None]:
    """Raise Unavailable if the disk becomes full in the block.

    torch raises a RuntimeError in this case, without the error of the operating system.
    """
    try:
        yield
    except RuntimeError as error:
        if shutil.disk_usage(folder).free > FULL_DISK_BYTES:
            raise
        raise full_disk_error(folder) from error


def full_disk_error(folder: Path) -> Unavailable:
    return Unavailable(f"no space left on the disk that holds {folder}; free some and run again, nothing is lost")


def require_disk_space(folder: Path) -> None:
    """Verify that the disk is not full. Workers would notice a full disk only after they have loaded the model.

    Raises:
        Unavailable: The disk is full.
    """
    try:
        with TemporaryFile(dir=folder, buffering=0) as probe:  # a file with a name could be replaced by a link
            probe.write(b"room")
    except OSError as error:
        if not is_disk_full(error):
            raise
        raise full_disk_error(folder) from error


def worker_part_digests(folder: Path, rank: int) -> dict[str, str]:
    """Return the digests of the files that one worker wrote to a checkpoint, by path."""
    names = [path.relative_to(folder).as_posix() for path in sorted(folder.rglob("*")) if path.is_file()]
    return {name: sha256_file(folder / name) for name in names if (rank_of_file(name) or 0) == rank}


def rank_of_file(name: str) -> int | None:
    """Return the rank of the worker that a file of a checkpoint belongs to; None for a file that all workers read."""
    found = RANK_FILE_PATTERN.search(name)
    return int(found[1]) if found else None


def commit_checkpoint(written_folder: Path, checkpoint: Checkpoint, digests: dict[str, str]) -> None:
    """Turn a folder into the newest checkpoint, and remove all checkpoints except the newest two.

    Only one worker may call this function.

    Args:
        written_folder: Folder with the files of all workers.
        checkpoint: Description of the checkpoint.
        digests: Digests of the files of all workers, by path.
    """
    write_manifest(written_folder, checkpoint, digests)
    final = written_folder.with_name(f"step-{checkpoint.step:09d}")
    remove_checkpoint(final)
    written_folder.rename(final)
    for old in list_checkpoint_folders(final.parent)[:-KEPT_CHECKPOINTS]:
        remove_checkpoint(old)


def remove_checkpoint(checkpoint: Path) -> None:
    """Remove a checkpoint if it exists. The folder is renamed first, so a partly removed checkpoint is never used."""
    dropped = checkpoint.with_name(".dropped")
    remove_path(dropped)
    try:
        checkpoint.rename(dropped)
    except OSError:  # it does not exist, or a part of an earlier one could not be removed
        dropped = checkpoint
    remove_path(dropped)


def list_checkpoint_folders(folder: Path) -> list[Path]:
    """Return the folders that are named like a checkpoint, oldest first."""
    return sorted(path for path in folder.glob("step-*") if CHECKPOINT_NAME_PATTERN.fullmatch(path.name))


def remove_path(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path, ignore_errors=True)
    else:
        path.unlink(missing_ok=True)


OTHER_TRAINING_TEXT = "of another training: its data, parameters, code or model are others"
MANIFEST_FIELDS = ("step", "curve", "workers", "state", "inputs")


def write_manifest(folder: Path, checkpoint: Checkpoint, digests: dict[str, str]) -> None:
    manifest = {**{name: getattr(checkpoint, name) for name in MANIFEST_FIELDS}, "files": digests}
    write_json(folder / MANIFEST_FILE, {"checkpoint": manifest, "sha256": sha256_bytes(canonical_json(manifest))})


def read_manifest(folder: Path) -> tuple[Checkpoint, dict[str, str]]:
    """Return a checkpoint and the expected digests of its files.

    Raises:
        ValueError: The manifest is damaged. KeyError and TypeError are raised for the same reason.
    """
    stated = read_json(folder / MANIFEST_FILE)
    manifest = stated["checkpoint"]
    if stated["sha256"] != sha256_bytes(canonical_json(manifest)):
        raise ValueError(f"{folder / MANIFEST_FILE} is not as it was written")
    return Checkpoint(folder, **{name: manifest[name] for name in MANIFEST_FIELDS}), manifest["files"]


def print_line(line: str) -> None:
    print(line, flush=True)


def newest_checkpoint(
    folder: Path, inputs_digest: str = "", on_skipped: Callable[[str], None] = print_line
) -> Checkpoint | None:
    """Return the newest undamaged checkpoint of a training run; None if there is none.

    Damaged checkpoints are removed, and checkpoints of other training runs are renamed.

    Args:
        folder: Folder of the checkpoints.
        inputs_digest: Value of `Job.inputs` of the training run.
        on_skipped: Function that is called with a message about each checkpoint that is not used.
    """
    for path in reversed(list_checkpoint_folders(folder)):
        checkpoint = read_checkpoint(path)
        if checkpoint and checkpoint.inputs == inputs_digest:
            return checkpoint
        on_skipped(
            f"checkpoint {path.name} is {OTHER_TRAINING_TEXT if checkpoint else 'damaged'}; "
            "going back to the one before"
        )
        if checkpoint:
            aside = path.with_name(f"other-{path.name}")
            remove_path(aside)
            path.rename(aside)
        else:
            remove_path(path)  # it would count as one of the newest two
    return None


def read_checkpoint(path: Path) -> Checkpoint | None:
    """Return a checkpoint, or None if it is damaged."""
    try:
        checkpoint, files = read_manifest(path)
        digests = tree_manifest(path)
        digests.pop(MANIFEST_FILE)
        return checkpoint if digests == files else None
    except (OSError, ValueError, KeyError, TypeError):
        return None
