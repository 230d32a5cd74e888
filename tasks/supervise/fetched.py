"""Base models that stages have fetched: `.hallmark/models/SHA256`, a folder or a GGUF file each.

A stage fetches a model into a folder of its sandbox. The supervisor copies it here if it has the digest that the run's
parameters name.
"""

from pathlib import Path

from tasks.core.files import path_digest
from tasks.core.layout import Layout
from tasks.core.locks import turn
from tasks.supervise import taken

FOLDER = "models"


def place(layout: Layout, sha256: str) -> Path:
    return layout.state / FOLDER / sha256


def there(layout: Layout, sha256: str) -> bool:
    """Return whether a model was fetched; its readers verify its digest."""
    path = place(layout, sha256)
    return path.is_file() or (path.is_dir() and any(path.iterdir()))


def keep(layout: Layout, sha256: str, box: Path, stage: str) -> None:
    """Copy the model that a stage left in `box`, unless it is here already; content with another digest is dropped.

    Raises:
        Refused: The stage left something that is no plain file or folder.
    """
    target = place(layout, sha256)
    aside = target.with_name(f".{sha256}.fetched")
    with turn(target.with_name(f".{sha256}.lock"), "another run keeps the same base model"):
        if there(layout, sha256):
            return
        taken.take(box, sha256, aside, stage)
        if not aside.exists():
            return
        if path_digest(aside) == sha256:
            taken.remove(target)
            aside.rename(target)
        else:
            taken.remove(aside)
