"""Folder that stands in for a checkout and has a state of its own, so that stages find no earlier results."""

import os
from collections.abc import Iterator
from pathlib import Path

from tasks.core.files import atomic_folder, copy, copy_tree

NOT_LINKED = (".hallmark", ".git")
"""Names in the top folder of the checkout that are not linked."""


def fill(stand_in: Path, checkout: Path) -> None:
    """Link to everything at the top of the checkout, and add the models that it has fetched.

    `base_model.folder` may name anything there. Existing entries stay; links that lead nowhere are removed.
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
    """Add a model by hard links, or else copies, whole or not at all; stages only read it and compare its digest."""
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
