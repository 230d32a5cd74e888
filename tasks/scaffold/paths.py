"""Paths of the data file and of the use case's folder."""

from contextlib import suppress
from pathlib import Path

from tasks.core.documents import config
from tasks.core.errors import InputError
from tasks.core.layout import Layout
from tasks.core.steps.kinds import SOURCE_KINDS_IN_WORDS
from tasks.supervise import source_grants

EXAMPLES_FOLDER = "examples"


def data_location(file: str, root: Path) -> str:
    """Return the location of a data file or folder for sources.yaml. In the checkout, it is a relative path.

    Raises:
        InputError: There is no such file, or data is not allowed at this path.
    """
    if file.startswith("s3://"):
        return file
    try:
        path = Path(file).expanduser().resolve()
        kind = _path_kind(path) if file else ""
    except (OSError, RuntimeError, ValueError):
        raise InputError(f"{file!r} is no path; give that of a {SOURCE_KINDS_IN_WORDS} file") from None
    if kind not in ("file", "folder"):
        what = f"it is a {kind}" if kind else "there is no such file"
        raise InputError(
            f"{file or repr(file)}: {what}; give the path of a {SOURCE_KINDS_IN_WORDS} file, or of a folder of them"
        )
    if "${" in str(path):
        raise InputError(f"{file}: `${{` in a location stands for a variable; rename the file or its folder")
    source_grants.require_allowed_location("FILE", path, Layout(root))
    return path.relative_to(root).as_posix() if path.is_relative_to(root) else str(path)


def _path_kind(path: Path) -> str:
    return "file" if path.is_file() else "folder" if path.is_dir() else "pipe or device" if path.exists() else ""


def require_unused_name(folder: Path) -> None:
    """Raise InputError if the folder exists, or if another use case has the same name. The two would share models."""
    if folder.exists() or folder.is_symlink():
        raise InputError(f"{folder} is there already, and nothing is written over; take another name, or remove it")
    root = folder.parent.parent
    for file in (root / "params.yaml", *sorted(folder.parent.glob("*/params.yaml"))):
        if _use_case_of(file) == folder.name:
            raise InputError(f"{file} has a use case of this name, and its models; take another name")


def _use_case_of(file: Path) -> str | None:
    """Return the name of the use case in a params file; None if the file is missing or not valid."""
    with suppress(InputError, AttributeError, LookupError, TypeError):
        return str(config.read_yaml(file)["use_case"].get("name")) if file.is_file() else None
    return None
