"""The base models that promoted adapters were tuned from.

A run may use another base model than the champion does, and is compared with it all the same; so promotion keeps the
champion's own, once however many releases share it:

    .hallmark/bases/SHA256/     artefacts/base_model of the run, under its `tasks.core.files.tree_digest`
"""

from pathlib import Path

from tasks.core import files
from tasks.core.errors import Refused
from tasks.core.layout import Layout
from tasks.core.params import methods
from tasks.core.payload.manifest import Manifest


def keep(layout: Layout, package: Manifest) -> Path | None:
    """Keep the base model that the manifest names, from the run in `layout`; None for a model that needs none.

    Kept again, it stays, or is put right where it was altered. Raises Refused where the run's base model is not the
    manifest's or its method is unknown, OSError where the disk is full.
    """
    if not methods.of(package.method).form.needs_base:
        return None
    wanted, source = package.stages["base_model"], layout.stage("base_model")
    target = layout.base(wanted)
    if _is(target, wanted):
        return target
    with files.whole_folder(target) as aside:
        files.copy_tree(source, aside)
        if not _is(aside, wanted):
            raise Refused(f"{source} is not the base model that the package was made with; run again")
    return target


def _is(folder: Path, wanted: str) -> bool:
    try:
        return folder.is_dir() and files.tree_digest(folder) == wanted
    except ValueError:  # a link
        return False
