"""Base models that stages have fetched: `.hallmark/models/SHA256`, a folder or a GGUF file each.

A stage fetches a model into a folder of its sandbox. The supervisor copies it here if it has the digest that the run's
parameters name.
"""

from pathlib import Path

from tasks.core.files import path_digest
from tasks.core.layout import Layout
from tasks.core.locks import hold
from tasks.supervise import output_check

MODELS_FOLDER = "models"


def model_path(layout: Layout, sha256: str) -> Path:
    return layout.state / MODELS_FOLDER / sha256


def is_fetched(layout: Layout, sha256: str) -> bool:
    """Return whether a model was fetched; its readers verify its digest."""
    path = model_path(layout, sha256)
    return path.is_file() or (path.is_dir() and any(path.iterdir()))


def store(layout: Layout, sha256: str, box: Path, stage: str) -> None:
    """Copy the model that a stage left in `box`, unless it is here already; content with another digest is dropped.

    Raises:
        Refused: The stage left something that is no plain file or folder.
    """
    target = model_path(layout, sha256)
    aside = target.with_name(f".{sha256}.fetched")
    with hold(target.with_name(f".{sha256}.lock"), "another run keeps the same base model"):
        if is_fetched(layout, sha256):
            return
        output_check.copy_checked(box, sha256, aside, stage)
        if not aside.exists():
            return
        if path_digest(aside) == sha256:
            output_check.remove_forcibly(target)
            aside.rename(target)
        else:
            output_check.remove_forcibly(aside)
