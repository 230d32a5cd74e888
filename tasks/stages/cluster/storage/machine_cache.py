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
from tasks.core.machine.locks import hold_exclusive_lock, try_exclusive_lock
from tasks.stages.cluster.storage import trees
from tasks.stages.cluster.storage.training_storage import TrainingStorage
from tasks.stages.cluster.storage.trees import Tree

CACHE_VARIABLE = "HALLMARK_TRAINING_CACHE"
TREES_FOLDER, WORK_FOLDER = "trees", "work"
MAX_UNUSED_SECONDS = 7 * 24 * 3600.0
"""Time in seconds after which an unused folder of the cache is removed. The next training run removes it."""


def cache_folder(subfolder: str) -> Path:
    """Return a subfolder of this machine's cache, and create it with access for this user only.

    Raises:
        InputError: The folder cannot be created or restricted to the user.
    """
    named = os.environ.get(CACHE_VARIABLE)
    folder = (Path(named) if named else Path.home() / ".cache" / "hallmark" / "training") / subfolder
    try:
        folder.mkdir(parents=True, exist_ok=True)
        folder.chmod(0o700)
    except OSError as error:
        raise InputError(f"{CACHE_VARIABLE}: {folder} cannot be used ({error}); name a folder of this user's") from None
    return folder


def cached_tree_folder(tree: Tree) -> Path:
    return cache_folder(TREES_FOLDER) / sha256_bytes(canonical_json(dict(tree)))


def fetch_tree(storage: TrainingStorage, storage_folder: str, tree: Tree) -> None:
    """Fetch a tree from the storage into the cache, unless the cache has an undamaged copy.

    Only one worker of each machine may call this function.

    Args:
        storage: Storage to fetch from.
        storage_folder: Folder of the storage that contains the tree's files.
        tree: Paths and digests of the files.
    """
    folder = cached_tree_folder(tree)
    with hold_exclusive_lock(_lock(folder), "another training fetches the same"):
        if not (folder.is_dir() and tree_manifest(folder) == dict(sorted(tree.items()))):
            with atomic_folder(folder) as aside:
                trees.fetch_tree(storage, storage_folder, tree, aside)
        mark_folders_used(folder)


def create_work_folder(name: str, name_prefix: str) -> Path:
    """Create an empty working folder for one attempt of a training run, and remove the folders of earlier attempts.

    Only one worker of each machine may call this function.

    Args:
        name: Name of the new folder.
        name_prefix: Beginning of the folder names of all attempts of this training run.
    """
    remove_unused_folders()
    for before in cache_folder(WORK_FOLDER).glob(f"{name_prefix}*"):
        shutil.rmtree(before, ignore_errors=True)
    folder = cache_folder(WORK_FOLDER) / name
    folder.mkdir()
    return folder


def mark_folders_used(*folders: Path) -> None:
    for folder in folders:
        os.utime(folder)


def remove_unused_folders() -> None:
    for path in (*cache_folder(TREES_FOLDER).iterdir(), *cache_folder(WORK_FOLDER).iterdir()):
        if path.is_dir() and time.time() - path.stat().st_mtime > MAX_UNUSED_SECONDS:
            with try_exclusive_lock(_lock(path)) as free:
                if free:
                    shutil.rmtree(path, ignore_errors=True)


def _lock(folder: Path) -> Path:
    return folder.with_suffix(".lock")
