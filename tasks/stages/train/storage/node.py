"""What a machine of a cluster keeps of the storage on its own disk: models and rows by digest, and what a training
writes while it runs."""

import os
import shutil
import time
from pathlib import Path

from tasks.core.files import canonical_json, sha256_bytes, tree_manifest, whole_folder
from tasks.core.locks import turn
from tasks.stages.train.storage import trees
from tasks.stages.train.storage.place import Place
from tasks.stages.train.storage.trees import Tree

SETTING = "HALLMARK_TRAINING_CACHE"
UNUSED_SECONDS = 7 * 24 * 3600.0
"""What no training has asked for so long is removed by the next."""


def cache() -> Path:
    """The folder, on each machine for itself."""
    named = os.environ.get(SETTING)
    folder = Path(named) if named else Path.home() / ".cache" / "hallmark" / "training"
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def fetched(place: Place, below: str, tree: Tree) -> Path:
    """The folder that holds a tree, fetched where it is not there or is not what it was."""
    name = sha256_bytes(canonical_json(dict(tree)))
    folder = cache() / name
    with turn(folder.with_suffix(".lock"), "another worker fetches the same"):
        if not (folder.is_dir() and tree_manifest(folder) == dict(sorted(tree.items()))):
            with whole_folder(folder) as aside:
                trees.get(place, below, tree, aside)
        os.utime(folder)
    return folder


def workspace(name: str) -> Path:
    """An empty folder for a training that begins here. Call on one worker of a machine."""
    sweep()
    folder = cache() / f"work-{name}"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    return folder


def sweep() -> None:
    """Remove what lay unused for long."""
    for path in cache().iterdir():
        if path.is_dir() and time.time() - path.stat().st_mtime > UNUSED_SECONDS:
            shutil.rmtree(path, ignore_errors=True)
            path.with_suffix(".lock").unlink(missing_ok=True)
