"""Access of stage `base_model` to the model of a run, which lies in a folder or is fetched."""

from collections.abc import Iterator, Mapping
from pathlib import Path

from tasks.core.errors import InputError
from tasks.core.files import tree_digest
from tasks.core.layout import Layout
from tasks.stages.train.base.model_files import HUB_FILE_PATTERNS, is_model_file
from tasks.supervise import fetched_models, sandbox
from tasks.supervise.fetched_models import ModelId
from tasks.supervise.open_files import OpenFiles
from tasks.supervise.run_parameters import parameter_section

HIDDEN_FOLDERS_WITH_MODELS = (".cache", ".local")
"""Hidden folders in the home folder that are allowed to contain a model. Other hidden folders hold keys and
settings."""


PIP_CONFIG_PATHS = (Path("/etc/pip.conf"), Path("/etc/xdg/pip"))
"""System-wide locations of pip's configuration. The configuration can name the package index."""


def fetchable_model(layout: Layout) -> ModelId | None:
    named = _base_model(layout)
    return None if named.get("folder") else _named_model(named)


def must_fetch_model(layout: Layout, _: Mapping[str, str]) -> bool:
    named = _base_model(layout)
    return not named.get("folder") and not fetched_models.find_model(layout, _named_model(named))


def model_paths(layout: Layout, open_files: OpenFiles) -> Iterator[Path]:
    named = _base_model(layout)
    if folder := named.get("folder"):
        path = layout.state.parent / str(folder)
        _require_only_model(path, str(named.get("sha256")), layout, open_files)
        yield path
    elif fetched := fetched_models.find_model(layout, _named_model(named)):
        yield fetched
    if not layout.has_unreviewed_code:
        yield from PIP_CONFIG_PATHS


def _named_model(named: Mapping[str, object]) -> ModelId:
    return ModelId(str(named.get("sha256")), is_folder=not named.get("wheel"))


def _base_model(layout: Layout) -> Mapping[str, object]:
    return parameter_section(layout, "base_model")


def _require_only_model(folder: Path, sha256: str, layout: Layout, open_files: OpenFiles) -> None:
    """Verify that the folder `base_model.folder` contains only the model with the digest `base_model.sha256`.

    Without this check, the parameters could give a stage access to any folder. The error message does not reveal other
    contents of the folder. A missing folder is reported by the stage itself.
    """
    where, itself, state = open_files.real_path(folder), open_files.proc_path(folder), layout.state.resolve()
    if state.is_relative_to(where) or where.is_relative_to(state) or _is_in_hidden_home_folder(where):
        raise InputError(
            f"base_model.folder: {folder} holds more than a model, or lies in {state} or a hidden folder of a home; "
            "give another"
        )
    if not itself.is_dir():
        return
    if not all(is_model_file(path) for path in itself.rglob("*") if not path.is_dir()):
        raise InputError(
            f"base_model.folder: {folder} holds other files than those of a model ({', '.join(HUB_FILE_PATTERNS)}); "
            "give one that holds the model alone"
        )
    try:
        found = tree_digest(itself)
    except ValueError:
        raise InputError(f"base_model.folder: {folder} holds links; copy the files in their place") from None
    if found != sha256:
        raise InputError(
            f"base_model.sha256: {folder} holds another model than {sha256}; `hallmark params check` tells the "
            "digest of what is there"
        )


def _is_in_hidden_home_folder(where: Path) -> bool:
    home = sandbox.home_folder()
    within = where.relative_to(home.resolve()).parts[:1] if home and where.is_relative_to(home.resolve()) else ()
    return bool(within) and within[0].startswith(".") and within[0] not in HIDDEN_FOLDERS_WITH_MODELS
