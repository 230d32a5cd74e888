"""Folder that replaces a checkout and has its own state, so that stages find no earlier results."""

import os
from collections.abc import Iterator
from pathlib import Path

from tasks.core.files import atomic_folder, copy, copy_tree

NOT_LINKED = (".hallmark", ".git")
"""Entries in the root folder of the checkout to which the stand-in does not link."""


def fill(stand_in: Path, checkout: Path) -> None:
    """Link to every entry in the root folder of the checkout, and add the models that the checkout has fetched.

    The parameter `base_model.folder` can name any of these entries. Existing entries are kept, and broken links are
    removed.
    """
    for path in stand_in.iterdir():
        if path.is_symlink() and not path.exists():
            path.unlink()
    for path in checkout.iterdir():
        if path.name not in NOT_LINKED and not (stand_in / path.name).exists():
            (stand_in / path.name).symlink_to(path)
    own = stand_in / ".hallmark" / "models"
    own.mkdir(mode=0o700, parents=True, exist_ok=True)
    for path in _fetched_models(checkout):
        if not (own / path.name).exists():
            _link_model(path, own / path.name)


def _fetched_models(checkout: Path) -> Iterator[Path]:
    folder = checkout / ".hallmark" / "models"
    return (path for path in (folder.iterdir() if folder.is_dir() else ()) if not path.name.startswith("."))


def _link_model(model: Path, place: Path) -> None:
    """Add a model by hard links, or by copies if that fails. Hard links are safe, because stages only read models."""
    if model.is_dir():
        with atomic_folder(place) as folder:
            copy_tree(model, folder, copy=_link)
    else:
        _link(model, place)


def _link(source: Path, target: Path) -> None:
    try:
        os.link(source, target)
    except OSError:  # the target is on another disk, or on one without hard links
        copy(source, target)
