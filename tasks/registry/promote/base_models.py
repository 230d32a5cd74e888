"""Copies of the base models that promoted adapters need.

A candidate is compared with the champion even if the two have different base models. Every promotion therefore stores a
copy of the release's base model. Releases with the same base model share one copy:

    .hallmark/bases/SHA256/     artefacts/base_model of the run, named by its `tasks.core.files.tree_digest`
"""

from pathlib import Path

from tasks.core import files
from tasks.core.errors import Refused
from tasks.core.layout import Layout
from tasks.core.params import methods
from tasks.core.payload.manifest import Manifest


def copy_base_model(layout: Layout, manifest: Manifest) -> Path | None:
    """Store a copy of a run's base model for later comparisons, and return the copy's folder.

    An intact copy is reused, and a damaged copy is replaced. If the training method needs no base model, nothing is
    copied and None is returned.

    Raises:
        Refused: The run's base model is not the one in the manifest, or the training method is unknown.
        OSError: The disk is full.
    """
    if not methods.get_method(manifest.method).result_form.needs_base:
        return None
    wanted, source = manifest.stages["base_model"], layout.artefacts("base_model")
    target = layout.base_model_folder(wanted)
    if _has_digest(target, wanted):
        return target
    with files.atomic_folder(target) as unfinished:
        files.copy_tree(source, unfinished)
        if not _has_digest(unfinished, wanted):
            raise Refused(f"{source} is not the base model that the package was made with; run again")
    return target


def _has_digest(folder: Path, expected: str) -> bool:
    try:
        return folder.is_dir() and files.tree_digest(folder) == expected
    except ValueError:  # the folder holds a link
        return False
