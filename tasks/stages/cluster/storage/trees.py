"""A folder as the digests of its files. In the storage each file lies under its digest, so that nothing lies there
twice, and what comes back is what was sent, whoever else may write to the storage."""

import re
from collections.abc import Mapping
from pathlib import Path, PurePosixPath

from tasks.core.errors import Refused
from tasks.core.files import sha256_file
from tasks.core.progress import Progress, announce
from tasks.stages.cluster.storage.place import Place

SHARED = "trees"
"""Files that any training may use again lie below this."""
DIGEST = re.compile(r"[0-9a-f]{64}")
Tree = Mapping[str, str]
"""SHA-256 by POSIX path relative to the folder."""


def put(place: Place, below: str, folder: Path, tree: Tree) -> None:
    """Store the files of a tree. Of what any training may use those that are there already stay."""
    place.put(_pairs(below, tree, folder), again=below != SHARED)


def share(place: Place, folder: Path, tree: Tree, stage: str, what: str) -> None:
    """Store what any stage may use again. `stage` and `what` are what progress lines call it."""
    announce(stage, f"storing {what} in {place.where}")
    sizes = {name: (folder / name).stat().st_size for name in tree}
    progress, done = Progress(stage, sum(sizes.values()) // 1_000_000, "MB"), 0
    for name, digest in tree.items():
        put(place, SHARED, folder, {name: digest})
        done += sizes[name]
        progress.tell(done // 1_000_000, f"of {what}")


def get(place: Place, below: str, tree: Tree, folder: Path) -> None:
    """Fetch them into an empty folder. Raises Refused for one that is gone, or is not what was stored, and for a tree
    that would leave the folder."""
    require_inside(tree)
    for name in tree:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
    place.get(_pairs(below, tree, folder))
    for name, digest in tree.items():
        if sha256_file(folder / name) != digest:
            raise Refused(f"{place.where}/{below}/{digest} is not what was stored there; remove it, and run again")


def require_inside(tree: Tree) -> None:
    """Raises Refused for what is no tree: workers say what they stored."""
    for name, digest in tree.items():
        parts = PurePosixPath(name).parts
        if not parts or parts[0] == "/" or ".." in parts or not DIGEST.fullmatch(digest):
            raise Refused(f"a worker of the cluster says that it stored {name!r} as {digest!r}; look at that machine")


def _pairs(below: str, tree: Tree, folder: Path) -> list[tuple[str, Path]]:
    return [(f"{below}/{digest}", folder / name) for name, digest in tree.items()]
