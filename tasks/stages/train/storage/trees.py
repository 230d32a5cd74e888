"""A folder as the digests of its files. In the storage each file lies under its digest, so that nothing lies there
twice, and what comes back is what was sent, whoever else may write to the storage."""

from collections.abc import Mapping
from pathlib import Path

from tasks.core.errors import Refused
from tasks.core.files import sha256_file
from tasks.stages.train.storage.place import Place

SHARED = "trees"
"""Files that any training may use again lie below this."""
Tree = Mapping[str, str]
"""SHA-256 by POSIX path relative to the folder."""


def put(place: Place, below: str, folder: Path, tree: Tree) -> None:
    """Store the files of a tree; those that are there already stay."""
    place.put(_pairs(below, tree, folder))


def get(place: Place, below: str, tree: Tree, folder: Path) -> None:
    """Fetch them into an empty folder. Raises Refused for one that is gone, or is not what was stored."""
    for name in tree:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
    place.get(_pairs(below, tree, folder))
    for name, digest in tree.items():
        if sha256_file(folder / name) != digest:
            raise Refused(f"{place.where}/{below}/{digest} is not what was stored there; remove it, and run again")


def _pairs(below: str, tree: Tree, folder: Path) -> list[tuple[str, Path]]:
    return [(f"{below}/{digest}", folder / name) for name, digest in tree.items()]
