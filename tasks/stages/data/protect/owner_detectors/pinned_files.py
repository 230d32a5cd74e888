"""Files of a detector: its digest, the files that it may have, and the copy that a stage reads.

A stage reads a copy whose digest it has verified, so that the detector cannot change while it is read.
"""

import shutil
from collections.abc import Collection
from dataclasses import dataclass
from fnmatch import fnmatch
from pathlib import Path

from tasks.core.errors import InputError
from tasks.core.files import copy_tree, sha256_file, tree_digest
from tasks.core.layout import Layout
from tasks.sources.owner_detectors import OwnerDetector
from tasks.sources.sources import Source

HUB_FILES = (
    *("*.safetensors", "*.json", "*.jinja", "*.model", "*.txt", "*.md", "LICENSE*", "LICENCE*", "NOTICE*"),
    ".gitattributes",
)
"""Files of a model in the format of the Hugging Face Hub. None of them is pickled or code."""
MAX_NAMED_FILES = 5


@dataclass(frozen=True)
class PinnedDetector:
    """Detector whose files have the digest in sources.yaml."""

    detector: OwnerDetector
    path: Path
    """File or folder that is read."""
    where: str
    """Beginning of error messages: `source ID: detector NAME`."""


def locate_detector(source: Source, detector: OwnerDetector, root: Path) -> PinnedDetector:
    """Return a detector at its place, without having verified its digest.

    Raises:
        InputError: There is nothing at its path, or a folder in place of a file, or the reverse.
    """
    where = f"source {source.id}: detector {detector.name}"
    path = Layout(root).resolve_path(str(Path(detector.path).expanduser()))
    if not path.exists():
        raise InputError(f"{where}: there is no {detector.path}; correct its `path` in sources.yaml")
    if detector.is_file != path.is_file() or not (path.is_file() or path.is_dir()):
        wanted = "a file" if detector.is_file else "a folder"
        raise InputError(f"{where}: a detector of kind {detector.kind} is {wanted}, and {detector.path} is none")
    return PinnedDetector(detector, path, where)


def require_digest(pinned: PinnedDetector) -> None:
    """Verify that a detector's files have the digest in sources.yaml.

    Raises:
        InputError: They have another digest, or the folder contains a link.
    """
    detector = pinned.detector
    try:
        found = sha256_file(pinned.path) if detector.is_file else tree_digest(pinned.path)
    except ValueError:
        raise InputError(
            f"{pinned.where}: {detector.path} contains a symbolic link; put the files in place of links"
        ) from None
    except OSError as error:
        raise InputError(f"{pinned.where}: {detector.path} cannot be read ({error.strerror})") from None
    if found != detector.sha256:
        raise InputError(
            f"{pinned.where}: {detector.path} has SHA-256 {found}, expected {detector.sha256}; restore the files, or, "
            "if this is the detector that you mean, write the first digest into sources.yaml"
        )


def copy_detector(pinned: PinnedDetector, folder: Path) -> PinnedDetector:
    """Copy a detector into a folder, and return the copy.

    Raises:
        InputError: The copy has another digest than sources.yaml says.
    """
    copy = PinnedDetector(pinned.detector, folder / pinned.detector.name, pinned.where)
    if pinned.detector.is_file:
        shutil.copyfile(pinned.path, copy.path)
    else:
        copy_tree(pinned.path, copy.path)
    require_digest(copy)
    return copy


def require_files(folder: Path, patterns: Collection[str], needed: Collection[str]) -> None:
    """Verify that a folder has the needed files, and only files with names of the given patterns.

    Raises:
        InputError: A file is missing, or one has another name. Such a file may be pickled or code.
    """
    files = [path.relative_to(folder).as_posix() for path in sorted(folder.rglob("*")) if path.is_file()]
    missing = [pattern for pattern in needed if not any(fnmatch(name, pattern) for name in files)]
    if missing:
        raise InputError(f"its folder lacks {', '.join(missing)}; save the model with safetensors and a fast tokenizer")
    others = [name for name in files if not any(fnmatch(name.rpartition("/")[2], pattern) for pattern in patterns)]
    if others:
        named = ", ".join(others[:MAX_NAMED_FILES]) + ", …" * (len(others) > MAX_NAMED_FILES)
        raise InputError(
            f"its folder has {named}, which may be pickled or code and is never loaded; a model is read from "
            "safetensors and JSON alone, so take such files out"
        )
