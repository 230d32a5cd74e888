"""Checkpoints: written whole, checked before use, the newest two kept.

They lie outside DVC's outputs, in a folder named by the digest of everything that decides the result, so that what a
killed run left serves exactly the runs that would have made the same. DeepSpeed writes the trained weights and the
optimizer; the learning rate, the data order and the random numbers are functions of the step and need no saving.
"""

import re
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryFile
from typing import Any

from tasks.core.errors import Refused, Unavailable, is_full_disk
from tasks.core.files import canonical_json, read_json, sha256_bytes, sha256_file, tree_manifest, write_json
from tasks.core.locks import turn

KEPT = 2
FULL_BYTES = 1 << 20
"""A disk with less left was full when a write to it failed."""
NAME = re.compile(r"step-\d{9}")
MANIFEST = "manifest.json"
STATE = "state"
"""DeepSpeed's tag: the folder inside a checkpoint that it writes to."""
OF_A_RANK = re.compile(r"zero_pp_rank_(\d+)_")
"""In the name of a file that one worker alone writes and reads; the first writes the others."""


@contextmanager
def claim(folder: Path) -> Iterator[Path]:
    """`folder`, made if absent, for this process alone: another run of the same inputs waits until this one is over.

    It is gone once the block ends well, and stays for who goes on where it does not."""
    lock = folder.with_suffix(".lock")
    for odd in (lock, folder):
        if odd.is_symlink() or (odd.exists() and odd.is_dir() != (odd is folder)):
            raise Refused(f"{odd} is not what a training left there; look what it is, and remove it")
    with turn(lock, "another run trains on the same inputs"):
        folder.mkdir(parents=True, exist_ok=True)
        yield folder
        shutil.rmtree(folder)  # while nobody else has it: who waited makes it anew


@dataclass(frozen=True)
class Checkpoint:
    folder: Path
    step: int
    """Optimizer steps done."""
    curve: list[dict[str, Any]]
    """The records of those steps."""
    workers: int
    """That wrote it."""
    state: dict[str, Any]
    """What `proof/state.py` said of the engine then."""
    inputs: str = ""
    """`Job.inputs` of the training that it is of."""


def aside(folder: Path, step: int) -> Path:
    """Where the checkpoint of `step` is written, the same on every worker."""
    return folder / f".step-{step:09d}"


def empty(path: Path) -> None:
    """Make a folder anew. Call on one worker."""
    shutil.rmtree(path, ignore_errors=True)
    path.mkdir(parents=True)


@contextmanager
def writing(folder: Path) -> Iterator[None]:
    """Raises Unavailable where the disk runs full inside: torch's writer hides the system's error behind its own."""
    try:
        yield
    except RuntimeError as error:
        if shutil.disk_usage(folder).free > FULL_BYTES:
            raise
        raise full(folder) from error


def full(folder: Path) -> Unavailable:
    return Unavailable(f"no space left on the disk that holds {folder}; free some and run again, nothing is lost")


def require_room(folder: Path) -> None:
    """Raises Unavailable where the disk takes nothing more. A worker would notice once it has loaded the model."""
    try:
        with TemporaryFile(dir=folder, buffering=0) as probe:  # a file with a name could lead to another one
            probe.write(b"room")
    except OSError as error:
        if not is_full_disk(error):
            raise
        raise full(folder) from error


def part_of(folder: Path, rank: int) -> dict[str, str]:
    """A worker's part of a checkpoint: the files that it wrote, with their digests."""
    names = [path.relative_to(folder).as_posix() for path in sorted(folder.rglob("*")) if path.is_file()]
    return {name: sha256_file(folder / name) for name in names if (rank_of(name) or 0) == rank}


def rank_of(name: str) -> int | None:
    """The worker that a file of a checkpoint is of; None for what all read."""
    found = OF_A_RANK.search(name)
    return int(found[1]) if found else None


def commit(written: Path, made: Checkpoint, files: dict[str, str]) -> None:
    """Make what lies in `written` the newest checkpoint and drop older ones beyond two. Call on one worker.

    `files`: the parts of all workers."""
    write_manifest(written, made, files)
    final = written.with_name(f"step-{made.step:09d}")
    drop(final)
    written.rename(final)
    for old in named(final.parent)[:-KEPT]:
        drop(old)


def drop(checkpoint: Path) -> None:
    """Remove a checkpoint, if there is one. It is renamed first, so that no kill leaves a part of it under its name."""
    dropped = checkpoint.with_name(".dropped")
    remove(dropped)
    try:
        checkpoint.rename(dropped)
    except OSError:  # there is none, or something of an earlier one could not be removed
        dropped = checkpoint
    remove(dropped)


def named(folder: Path) -> list[Path]:
    """What has the name of a checkpoint, the oldest first."""
    return sorted(path for path in folder.glob("step-*") if NAME.fullmatch(path.name))


def remove(path: Path) -> None:
    """Whatever lies there."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path, ignore_errors=True)
    else:
        path.unlink(missing_ok=True)


OTHER = "of another training: its data, parameters, code or model are others"
STATED = ("step", "curve", "workers", "state", "inputs")


def write_manifest(folder: Path, made: Checkpoint, files: dict[str, str]) -> None:
    """What a checkpoint says of itself and of its files, with a digest over that."""
    told = {**{name: getattr(made, name) for name in STATED}, "files": files}
    write_json(folder / MANIFEST, {"checkpoint": told, "sha256": sha256_bytes(canonical_json(told))})


def read_manifest(folder: Path) -> tuple[Checkpoint, dict[str, str]]:
    """A checkpoint, and the digests that its files are to have. Raises ValueError, KeyError or TypeError where it is
    not as it was written."""
    stated = read_json(folder / MANIFEST)
    told = stated["checkpoint"]
    if stated["sha256"] != sha256_bytes(canonical_json(told)):
        raise ValueError(f"{folder / MANIFEST} is not as it was written")
    return Checkpoint(folder, **{name: told[name] for name in STATED}), told["files"]


def shown(line: str) -> None:
    print(line, flush=True)


def newest(folder: Path, inputs: str = "", say: Callable[[str], None] = shown) -> Checkpoint | None:
    """The newest checkpoint of the training of these `inputs` whose every file is as it was written; says which ones it
    passes over."""
    for path in reversed(named(folder)):
        checkpoint = read(path)
        if checkpoint and checkpoint.inputs == inputs:
            return checkpoint
        say(f"checkpoint {path.name} is {OTHER if checkpoint else 'damaged'}; going back to the one before")
        if checkpoint:
            aside = path.with_name(f"other-{path.name}")
            remove(aside)
            path.rename(aside)
        else:
            remove(path)  # it would count among the newest
    return None


def read(path: Path) -> Checkpoint | None:
    """A checkpoint, or None if it is damaged."""
    try:
        checkpoint, files = read_manifest(path)
        digests = tree_manifest(path)
        digests.pop(MANIFEST)
        return checkpoint if digests == files else None
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        return None
