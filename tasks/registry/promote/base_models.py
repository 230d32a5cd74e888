"""Copies of the base models that promoted adapters need.

A run is compared with the champion even if the two have different base models. Promotion therefore stores the
champion's base model, in one copy for all releases that share it:

    .hallmark/bases/SHA256/     artefacts/base_model of the run, named by its `tasks.core.files.tree_digest`
"""

from pathlib import Path

from tasks.core import files
from tasks.core.errors import Refused
from tasks.core.layout import Layout
from tasks.core.params import methods
from tasks.core.payload.manifest import Manifest


def copy_base_model(layout: Layout, package: Manifest) -> Path | None:
    """Copy a run's base model to the base models that are stored for releases, and return the copy's folder.

    An intact copy is reused, and a damaged copy is replaced. Returns None for a model that needs no base model.

    Raises:
        Refused: The run's base model is not the one in the manifest, or the training method is unknown.
        OSError: The disk is full.
    """
    if not methods.get(package.method).form.needs_base:
        return None
    wanted, source = package.stages["base_model"], layout.artefacts("base_model")
    target = layout.base_model(wanted)
    if _has_digest(target, wanted):
        return target
    with files.atomic_folder(target) as unfinished:
        files.copy_tree(source, unfinished)
        if not _has_digest(unfinished, wanted):
            raise Refused(f"{source} is not the base model that the package was made with; run again")
    return target


def _has_digest(folder: Path, wanted: str) -> bool:
    try:
        return folder.is_dir() and files.tree_digest(folder) == wanted
    except ValueError:  # the folder holds a link
        return False
