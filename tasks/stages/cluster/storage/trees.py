"""Folders in the storage, described as trees: the SHA-256 of each file by its path.

Each file is stored under its digest. Equal files are therefore stored once, and a file that was changed in the storage
is detected when it is fetched.
"""

import re
from collections.abc import Mapping
from pathlib import Path, PurePosixPath

from tasks.core.errors import Refused
from tasks.core.files import sha256_file
from tasks.core.progress import Progress, announce
from tasks.stages.cluster.storage.training_storage import TrainingStorage

SHARED_FOLDER = "trees"
DIGEST = re.compile(r"[0-9a-f]{64}")
Tree = Mapping[str, str]
"""Content of a folder: SHA-256 of each file, by POSIX path relative to the folder."""


def put(place: TrainingStorage, below: str, folder: Path, tree: Tree) -> None:
    """Store the files of a tree in the storage's folder `below`.

    In SHARED_FOLDER, files that are already stored are not sent again.
    """
    place.put(_names_and_files(below, tree, folder), again=below != SHARED_FOLDER)


def put_shared(place: TrainingStorage, folder: Path, tree: Tree, stage: str, what: str) -> None:
    announce(stage, f"storing {what} in {place.location}")
    sizes = {name: (folder / name).stat().st_size for name in tree}
    progress, done = Progress(stage, sum(sizes.values()) // 1_000_000, "MB"), 0
    for name, digest in tree.items():
        put(place, SHARED_FOLDER, folder, {name: digest})
        done += sizes[name]
        progress.report(done // 1_000_000, f"of {what}")


def get(place: TrainingStorage, below: str, tree: Tree, folder: Path) -> None:
    """Fetch the files of a tree from the storage into an empty local folder.

    Raises:
        Refused: A file is missing or was changed, or a path leads out of the folder.
    """
    require_inside(tree)
    for name in tree:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
    place.get(_names_and_files(below, tree, folder))
    for name, digest in tree.items():
        if sha256_file(folder / name) != digest:
            raise Refused(f"{place.location}/{below}/{digest} is not what was stored there; remove it, and run again")


def require_inside(tree: Tree) -> None:
    """Verify that the paths of a tree stay inside its folder and that its digests are SHA-256.

    The tree was reported by a worker of the cluster, which is not trusted.

    Raises:
        Refused: A path or digest is malformed.
    """
    for name, digest in tree.items():
        parts = PurePosixPath(name).parts
        if not parts or parts[0] == "/" or ".." in parts or not DIGEST.fullmatch(digest):
            raise Refused(f"a worker of the cluster says that it stored {name!r} as {digest!r}; look at that machine")


def _names_and_files(below: str, tree: Tree, folder: Path) -> list[tuple[str, Path]]:
    return [(f"{below}/{digest}", folder / name) for name, digest in tree.items()]
