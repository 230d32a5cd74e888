"""Cache on the disk of one machine of the cluster.

It holds models and rows that were fetched from the storage, and working folders of training runs.
"""

import os
import shutil
import time
from pathlib import Path

from tasks.core.errors import InputError
from tasks.core.files import atomic_folder, sha256_bytes, tree_manifest
from tasks.core.json_text import canonical_json
from tasks.core.machine.locks import hold, try_hold
from tasks.stages.cluster.storage import trees
from tasks.stages.cluster.storage.training_storage import TrainingStorage
from tasks.stages.cluster.storage.trees import Tree

CACHE_VARIABLE = "HALLMARK_TRAINING_CACHE"
TREES_FOLDER, WORK_FOLDER = "trees", "work"
UNUSED_SECONDS = 7 * 24 * 3600.0
"""Age in seconds at which an unused folder of the cache is removed by the next training."""


def cache_folder(part: str) -> Path:
    """Return a subfolder of this machine's cache, and create it with access for this user only.

    Raises:
        InputError: The folder cannot be created or restricted to the user.
    """
    named = os.environ.get(CACHE_VARIABLE)
    folder = (Path(named) if named else Path.home() / ".cache" / "hallmark" / "training") / part
    try:
        folder.mkdir(parents=True, exist_ok=True)
        folder.chmod(0o700)
    except OSError as error:
        raise InputError(f"{CACHE_VARIABLE}: {folder} cannot be used ({error}); name a folder of this user's") from None
    return folder


def tree_folder(tree: Tree) -> Path:
    return cache_folder(TREES_FOLDER) / sha256_bytes(canonical_json(dict(tree)))


def fetch_tree(place: TrainingStorage, below: str, tree: Tree) -> None:
    """Fetch a tree from the storage into the cache, unless the cache has an undamaged copy.

    Only one worker of each machine may call this function.

    Args:
        place: The storage.
        below: Folder of the storage that contains the tree's files.
        tree: Paths and digests of the files.
    """
    folder = tree_folder(tree)
    with hold(_lock(folder), "another training fetches the same"):
        if not (folder.is_dir() and tree_manifest(folder) == dict(sorted(tree.items()))):
            with atomic_folder(folder) as aside:
                trees.get(place, below, tree, aside)
        mark_used(folder)


def workspace(name: str, of: str) -> Path:
    """Create an empty working folder for one attempt of a training run.

    Only one worker of each machine may call this function.

    Args:
        name: Name of the new folder.
        of: Beginning of the names of earlier attempts, whose folders are removed.
    """
    remove_unused()
    for before in cache_folder(WORK_FOLDER).glob(f"{of}*"):
        shutil.rmtree(before, ignore_errors=True)
    folder = cache_folder(WORK_FOLDER) / name
    folder.mkdir()
    return folder


def mark_used(*folders: Path) -> None:
    for folder in folders:
        os.utime(folder)


def remove_unused() -> None:
    for path in (*cache_folder(TREES_FOLDER).iterdir(), *cache_folder(WORK_FOLDER).iterdir()):
        if path.is_dir() and time.time() - path.stat().st_mtime > UNUSED_SECONDS:
            with try_hold(_lock(path)) as free:
                if free:
                    shutil.rmtree(path, ignore_errors=True)


def _lock(folder: Path) -> Path:
    return folder.with_suffix(".lock")
