"""Folder with its own state that replaces a checkout, so that stages find no earlier results."""

import os
from collections.abc import Iterator
from pathlib import Path

from tasks.core.files import atomic_folder, copy_file, copy_tree

UNLINKED_NAMES = (".hallmark", ".git")
"""Names in the checkout's root folder to which the stand-in gets no link."""


def fill_stand_in(stand_in: Path, checkout: Path) -> None:
    """Fill the stand-in with links to the files and folders of a checkout, and with the checkout's fetched models.

    Every file and folder at the top of the checkout is linked, because the parameter `base_model.folder` can name any
    of them. Existing entries of the stand-in are kept, and broken links are removed.
    """
    for path in stand_in.iterdir():
        if path.is_symlink() and not path.exists():
            path.unlink()
    for path in checkout.iterdir():
        if path.name not in UNLINKED_NAMES and not (stand_in / path.name).exists():
            (stand_in / path.name).symlink_to(path)
    own = stand_in / ".hallmark" / "models"
    own.mkdir(mode=0o700, parents=True, exist_ok=True)
    for path in _fetched_models(checkout):
        if not (own / path.name).exists():
            _link_model(path, own / path.name)


def _fetched_models(checkout: Path) -> Iterator[Path]:
    folder = checkout / ".hallmark" / "models"
    return (path for path in (folder.iterdir() if folder.is_dir() else ()) if not path.name.startswith("."))


def _link_model(model: Path, target: Path) -> None:
    """Add a model by hard links, or by copies if that fails. Hard links are safe, because stages only read models."""
    if model.is_dir():
        with atomic_folder(target) as folder:
            copy_tree(model, folder, copy_one_file=_link)
    else:
        _link(model, target)


def _link(source: Path, target: Path) -> None:
    try:
        os.link(source, target)
    except OSError:  # the target is on another disk, or on one without hard links
        copy_file(source, target)
