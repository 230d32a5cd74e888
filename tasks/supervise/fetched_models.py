"""Base models that stages have fetched, each a folder or a GGUF file at `.hallmark/models/SHA256`.

A stage fetches a model into a folder of its sandbox. The supervisor then copies the model to this location if its
digest is the one in the run's parameters. Models that experiments fetch are in `.hallmark/experiments/models`, which
governed runs do not read.
"""

from pathlib import Path
from typing import NamedTuple

from tasks.core.files import sha256_file, tree_digest
from tasks.core.layout import Layout
from tasks.core.machine.locks import hold_exclusive_lock
from tasks.supervise import output_check

MODELS_FOLDER = "models"


class ModelId(NamedTuple):
    sha256: str
    is_folder: bool
    """Whether the model is a folder rather than a file. The digest alone does not show this, because a file that lists
    a folder's files has the same digest as the folder."""

    def exists_at(self, path: Path) -> bool:
        return path.is_dir() and any(path.iterdir()) if self.is_folder else path.is_file()

    def digest_at(self, path: Path) -> str:
        return tree_digest(path) if self.is_folder else sha256_file(path)


def models_folder(layout: Layout) -> Path:
    return layout.run_state / MODELS_FOLDER


def find_model(layout: Layout, model: ModelId) -> Path | None:
    """Return the path of a fetched model; None if it has not been fetched. The caller must verify the digest."""
    places = (folder / model.sha256 for folder in (layout.state / MODELS_FOLDER, models_folder(layout)))
    return next((path for path in places if model.exists_at(path)), None)


def store_model(layout: Layout, model: ModelId, sandbox_folder: Path, stage: str) -> None:
    """Store the model that a stage has fetched into folder `sandbox_folder`, unless it is stored already.

    A model with another digest is discarded.

    Raises:
        Refused: The model contains something other than regular files and folders.
    """
    target = models_folder(layout) / model.sha256
    temporary_path = target.with_name(f".{model.sha256}.fetched")
    with hold_exclusive_lock(target.with_name(f".{model.sha256}.lock"), "another run keeps the same base model"):
        if find_model(layout, model):
            return
        output_check.copy_checked_output(sandbox_folder, model.sha256, temporary_path, stage)
        if not temporary_path.exists():
            return
        if model.exists_at(temporary_path) and model.digest_at(temporary_path) == model.sha256:
            output_check.remove_forcibly(target)
            temporary_path.rename(target)
        else:
            output_check.remove_forcibly(temporary_path)
