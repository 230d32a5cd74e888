"""Folders in the storage, described as trees: the SHA-256 of each file by its path.

Each file is stored under its digest. Equal files are therefore stored once, and a file that was changed in the storage
is detected when it is fetched.
"""

import re
from collections.abc import Mapping
from pathlib import Path, PurePosixPath

from tasks.core.errors import Refused
from tasks.core.files import sha256_file
from tasks.core.progress import ProgressReporter, print_progress
from tasks.stages.cluster.storage.training_storage import TrainingStorage

SHARED_FOLDER = "trees"
DIGEST_PATTERN = re.compile(r"[0-9a-f]{64}")
Tree = Mapping[str, str]
"""Content of a folder: SHA-256 of each file, by POSIX path relative to the folder."""


def store_tree(storage: TrainingStorage, storage_folder: str, folder: Path, tree: Tree) -> None:
    """Store the files of a tree in the storage's folder `storage_folder`.

    In SHARED_FOLDER, files that are already stored are not sent again.
    """
    storage.put(_names_and_files(storage_folder, tree, folder), overwrite=storage_folder != SHARED_FOLDER)


def store_shared_tree(storage: TrainingStorage, folder: Path, tree: Tree, stage: str, description: str) -> None:
    print_progress(stage, f"storing {description} in {storage.location}")
    sizes = {name: (folder / name).stat().st_size for name in tree}
    progress, done = ProgressReporter(stage, sum(sizes.values()) // 1_000_000, "MB"), 0
    for name, digest in tree.items():
        store_tree(storage, SHARED_FOLDER, folder, {name: digest})
        done += sizes[name]
        progress.report(done // 1_000_000, f"of {description}")


def fetch_tree(storage: TrainingStorage, storage_folder: str, tree: Tree, folder: Path) -> None:
    """Fetch the files of a tree from the storage into an empty local folder.

    Raises:
        Refused: A file is missing or was changed, or a path leads out of the folder.
    """
    require_valid_tree(tree)
    for name in tree:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
    storage.get(_names_and_files(storage_folder, tree, folder))
    for name, digest in tree.items():
        if sha256_file(folder / name) != digest:
            raise Refused(
                f"{storage.location}/{storage_folder}/{digest} is not what was stored there; remove it, and run again"
            )


def require_valid_tree(tree: Tree) -> None:
    """Verify that the paths of a tree stay inside its folder and that its digests are SHA-256.

    The tree was reported by a worker of the cluster. Workers are not trusted.

    Raises:
        Refused: A path or digest is malformed.
    """
    for name, digest in tree.items():
        parts = PurePosixPath(name).parts
        if not parts or parts[0] == "/" or ".." in parts or not DIGEST_PATTERN.fullmatch(digest):
            raise Refused(f"a worker of the cluster says that it stored {name!r} as {digest!r}; look at that machine")


def _names_and_files(storage_folder: str, tree: Tree, folder: Path) -> list[tuple[str, Path]]:
    return [(f"{storage_folder}/{digest}", folder / name) for name, digest in tree.items()]
