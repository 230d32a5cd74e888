"""Checkpoints: written completely or not at all, verified before use, and limited to the newest two.

They are not outputs of DVC, but lie in a folder named by the digest of everything that decides the result. So the
checkpoints of a killed run serve exactly those runs that would compute the same. DeepSpeed writes the trained weights
and the optimizer's state. Learning rate, data order and random numbers are functions of the step and need not be saved.
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
from tasks.core.machine.locks import hold

KEPT_CHECKPOINTS = 2
FULL_BYTES = 1 << 20
"""Free bytes of a disk below which it counts as full after a failed write."""
FOLDER_NAME = re.compile(r"step-\d{9}")
MANIFEST = "manifest.json"
STATE_FOLDER = "state"
"""DeepSpeed's tag: the folder in a checkpoint that DeepSpeed writes to."""
RANK_FILE = re.compile(r"zero_pp_rank_(\d+)_")
"""Pattern in the name of a file that only one worker writes and reads. The first worker writes all other files."""


@contextmanager
def locked_folder(folder: Path) -> Iterator[Path]:
    """Create `folder` and lock it for this process; another run with the same inputs waits.

    The folder is removed if the block succeeds, and kept for a later run if it fails.
    """
    lock = folder.with_suffix(".lock")
    for odd in (lock, folder):
        if odd.is_symlink() or (odd.exists() and odd.is_dir() != (odd is folder)):
            raise Refused(f"{odd} is not what a training left there; look what it is, and remove it")
    with hold(lock, "another run trains on the same inputs"):
        folder.mkdir(parents=True, exist_ok=True)
        yield folder
        shutil.rmtree(folder)  # under the lock; a run that waits for it creates it again


@dataclass(frozen=True)
class Checkpoint:
    folder: Path
    step: int
    curve: list[dict[str, Any]]
    """Points of the curve, one for each optimizer step done."""
    workers: int
    state: dict[str, Any]
    """Summary of the engine's state when the checkpoint was written (`verification/engine_state.py`)."""
    inputs: str = ""
    """`Job.inputs` of the training that wrote the checkpoint."""


def unfinished_folder(folder: Path, step: int) -> Path:
    return folder / f".step-{step:09d}"


def empty(path: Path) -> None:
    """Create an empty folder in place of any file or folder at `path`. Only one worker may call it."""
    shutil.rmtree(path, ignore_errors=True)
    path.mkdir(parents=True)


@contextmanager
def full_disk_as_unavailable(folder: Path) -> Iterator[None]:
    """Raise Unavailable if the disk becomes full in the block.

    torch raises a RuntimeError for this that does not contain the system's error.
    """
    try:
        yield
    except RuntimeError as error:
        if shutil.disk_usage(folder).free > FULL_BYTES:
            raise
        raise full_disk_error(folder) from error


def full_disk_error(folder: Path) -> Unavailable:
    return Unavailable(f"no space left on the disk that holds {folder}; free some and run again, nothing is lost")


def require_room(folder: Path) -> None:
    """Raise Unavailable if the disk is full. Workers would notice it only after loading the model."""
    try:
        with TemporaryFile(dir=folder, buffering=0) as probe:  # a file with a name could be replaced by a link
            probe.write(b"room")
    except OSError as error:
        if not is_disk_full(error):
            raise
        raise full_disk_error(folder) from error


def part_of(folder: Path, rank: int) -> dict[str, str]:
    """Return the files of a checkpoint that one worker wrote, with their digests."""
    names = [path.relative_to(folder).as_posix() for path in sorted(folder.rglob("*")) if path.is_file()]
    return {name: sha256_file(folder / name) for name in names if (rank_of(name) or 0) == rank}


def rank_of(name: str) -> int | None:
    """Return the worker that a file of a checkpoint belongs to; None for a file that all workers read."""
    found = RANK_FILE.search(name)
    return int(found[1]) if found else None


def commit(written: Path, made: Checkpoint, files: dict[str, str]) -> None:
    """Make the files in `written` the newest checkpoint and remove all but the newest two.

    Only one worker may call it. `files` has the digests of the files of all workers.
    """
    write_manifest(written, made, files)
    final = written.with_name(f"step-{made.step:09d}")
    drop(final)
    written.rename(final)
    for old in list_folders(final.parent)[:-KEPT_CHECKPOINTS]:
        drop(old)


def drop(checkpoint: Path) -> None:
    """Remove a checkpoint if it exists. It is renamed first, so that its name never stands for a part of it."""
    dropped = checkpoint.with_name(".dropped")
    remove(dropped)
    try:
        checkpoint.rename(dropped)
    except OSError:  # it does not exist, or a part of an earlier one could not be removed
        dropped = checkpoint
    remove(dropped)


def list_folders(folder: Path) -> list[Path]:
    """Return everything that has the name of a checkpoint, oldest first."""
    return sorted(path for path in folder.glob("step-*") if FOLDER_NAME.fullmatch(path.name))


def remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path, ignore_errors=True)
    else:
        path.unlink(missing_ok=True)


OTHER_TRAINING = "of another training: its data, parameters, code or model are others"
MANIFEST_FIELDS = ("step", "curve", "workers", "state", "inputs")


def write_manifest(folder: Path, made: Checkpoint, files: dict[str, str]) -> None:
    """Write the description of a checkpoint and the digests of its files, with a digest of both."""
    manifest = {**{name: getattr(made, name) for name in MANIFEST_FIELDS}, "files": files}
    write_json(folder / MANIFEST, {"checkpoint": manifest, "sha256": sha256_bytes(canonical_json(manifest))})


def read_manifest(folder: Path) -> tuple[Checkpoint, dict[str, str]]:
    """Return a checkpoint and the expected digests of its files.

    Raises:
        ValueError: The manifest is damaged. KeyError and TypeError have the same meaning.
    """
    stated = read_json(folder / MANIFEST)
    manifest = stated["checkpoint"]
    if stated["sha256"] != sha256_bytes(canonical_json(manifest)):
        raise ValueError(f"{folder / MANIFEST} is not as it was written")
    return Checkpoint(folder, **{name: manifest[name] for name in MANIFEST_FIELDS}), manifest["files"]


def print_line(line: str) -> None:
    print(line, flush=True)


def newest(folder: Path, inputs: str = "", say: Callable[[str], None] = print_line) -> Checkpoint | None:
    """Return the newest undamaged checkpoint of the training with these `inputs`, or None.

    Others are renamed or removed, and `say` is called with a line about each.
    """
    for path in reversed(list_folders(folder)):
        checkpoint = read(path)
        if checkpoint and checkpoint.inputs == inputs:
            return checkpoint
        say(f"checkpoint {path.name} is {OTHER_TRAINING if checkpoint else 'damaged'}; going back to the one before")
        if checkpoint:
            aside = path.with_name(f"other-{path.name}")
            remove(aside)
            path.rename(aside)
        else:
            remove(path)  # it would count as one of the newest two
    return None


def read(path: Path) -> Checkpoint | None:
    """Return a checkpoint, or None if it is damaged."""
    try:
        checkpoint, files = read_manifest(path)
        digests = tree_manifest(path)
        digests.pop(MANIFEST)
        return checkpoint if digests == files else None
    except (OSError, ValueError, KeyError, TypeError):
        return None
