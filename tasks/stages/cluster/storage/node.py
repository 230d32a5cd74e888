"""What a machine of a cluster keeps of the storage on its own disk: models and rows by digest, and what a training
writes while it runs."""

import os
import shutil
import time
from pathlib import Path

from tasks.core.errors import InputError
from tasks.core.files import canonical_json, sha256_bytes, tree_manifest, whole_folder
from tasks.core.locks import attempt, turn
from tasks.stages.cluster.storage import trees
from tasks.stages.cluster.storage.place import Place
from tasks.stages.cluster.storage.trees import Tree

SETTING = "HALLMARK_TRAINING_CACHE"
TREES, WORK = "trees", "work"
"""Folders of the cache. Nothing else that lies there is touched."""
UNUSED_SECONDS = 7 * 24 * 3600.0
"""What no training has asked for so long is removed by the next."""


def cache(part: str) -> Path:
    """A folder of this user's alone, on each machine for itself: rows are nobody else's business, nor is what a worker
    loads anybody else's to write. Raises InputError where it cannot be."""
    named = os.environ.get(SETTING)
    folder = (Path(named) if named else Path.home() / ".cache" / "hallmark" / "training") / part
    try:
        folder.mkdir(parents=True, exist_ok=True)
        folder.chmod(0o700)
    except OSError as error:
        raise InputError(f"{SETTING}: {folder} cannot be used ({error}); name a folder of this user's") from None
    return folder


def place_of(tree: Tree) -> Path:
    """The folder that holds a tree, once it was fetched."""
    return cache(TREES) / sha256_bytes(canonical_json(dict(tree)))


def fetch(place: Place, below: str, tree: Tree) -> None:
    """Have a tree here, where it is not or is not what it was. Call on one worker of a machine."""
    folder = place_of(tree)
    with turn(_lock(folder), "another training fetches the same"):
        if not (folder.is_dir() and tree_manifest(folder) == dict(sorted(tree.items()))):
            with whole_folder(folder) as aside:
                trees.get(place, below, tree, aside)
        in_use(folder)


def workspace(name: str, of: str) -> Path:
    """An empty folder for a training, in place of those of its earlier attempts, whose names begin with `of`. Call on
    one worker of a machine."""
    sweep()
    for before in cache(WORK).glob(f"{of}*"):
        shutil.rmtree(before, ignore_errors=True)
    folder = cache(WORK) / name
    folder.mkdir()
    return folder


def in_use(*folders: Path) -> None:
    """Say that a training needs these."""
    for folder in folders:
        os.utime(folder)


def sweep() -> None:
    """Remove what lay unused for long."""
    for path in (*cache(TREES).iterdir(), *cache(WORK).iterdir()):
        if path.is_dir() and time.time() - path.stat().st_mtime > UNUSED_SECONDS:
            with attempt(_lock(path)) as free:
                if free:
                    shutil.rmtree(path, ignore_errors=True)


def _lock(folder: Path) -> Path:
    return folder.with_suffix(".lock")
