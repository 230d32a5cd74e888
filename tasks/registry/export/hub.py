"""Files that a repository on a model hub needs besides the model."""

from pathlib import Path

from tasks.core import files

ATTRIBUTES_FILE = ".gitattributes"
ATTRIBUTES = "*.safetensors filter=lfs diff=lfs merge=lfs -text\ntokenizer.json filter=lfs diff=lfs merge=lfs -text\n"
"""Files that git keeps in large file storage, as a hub demands of a push with git."""
LICENCE_PATTERNS = ("LICENSE*", "LICENCE*", "NOTICE*")


def write_hub_files(folder: Path) -> None:
    files.write_bytes(folder / ATTRIBUTES_FILE, ATTRIBUTES.encode())


def copy_licences(base: Path | None, folder: Path) -> None:
    """Copy the licence files of the base model, if it has any, because its licence binds what is made of it."""
    for pattern in LICENCE_PATTERNS if base else ():
        for path in sorted(base.glob(pattern) if base else ()):
            files.copy_file(path, folder / path.name)
