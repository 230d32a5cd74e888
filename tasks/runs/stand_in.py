"""A folder that stands in for a checkout, with a state of its own: stages find nothing there that was made before."""

import os
from collections.abc import Iterator
from pathlib import Path

from tasks.core.files import copy, copy_tree, whole_folder

OWN = (".hallmark", ".git")
"""What at the top of the checkout is not linked."""


def fill(stand_in: Path, checkout: Path) -> None:
    """Link to everything at the top of the checkout, as `base_model.folder` may name it, and have the models that it
    has fetched. What is there already stays; a link that leads nowhere any more goes."""
    for path in stand_in.iterdir():
        if path.is_symlink() and not path.exists():
            path.unlink()
    for path in checkout.iterdir():
        if path.name not in OWN and not (stand_in / path.name).exists():
            (stand_in / path.name).symlink_to(path)
    own = stand_in / ".hallmark" / "models"
    own.mkdir(mode=0o700, parents=True, exist_ok=True)
    for path in _fetched(checkout):
        if not (own / path.name).exists():
            _give(path, own / path.name)


def _fetched(checkout: Path) -> Iterator[Path]:
    folder = checkout / ".hallmark" / "models"
    return (path for path in (folder.iterdir() if folder.is_dir() else ()) if not path.name.startswith("."))


def _give(model: Path, place: Path) -> None:
    """The same files under another name, whole or not at all. Stages only read them, and compare the digest."""
    if model.is_dir():
        with whole_folder(place) as folder:
            copy_tree(model, folder, copy=_link)
    else:
        _link(model, place)


def _link(source: Path, target: Path) -> None:
    try:
        os.link(source, target)
    except OSError:  # another disk, or one without links
        copy(source, target)
