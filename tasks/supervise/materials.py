"""Digests of a stage's materials and outputs. Materials are the inputs that determine the outputs."""

from collections.abc import Mapping

from tasks.core import files
from tasks.core.documents import config
from tasks.core.errors import InputError
from tasks.core.graph import DVC_STAGES
from tasks.core.layout import Layout
from tasks.trust import stage_record


def material_digests(stage: str, layout: Layout) -> dict[str, str]:
    """Return the digests of a stage's materials: code, sections of the parameters, inputs and gate statements.

    Inputs that do not exist are omitted.

    Raises:
        InputError: An input is a link or contains one.
    """
    _, _, which = stage.partition("@")
    named = {name: layout.root / name for name in DVC_STAGES[stage].dependency_paths(which)}
    try:
        found = {name: files.path_digest(path) for name, path in named.items() if path.exists()}
    except ValueError as error:
        raise InputError(str(error)) from None
    sections = {
        f"params.yaml#{name}": stage_record.section_digest(value)
        for name, value in parameter_sections(stage, layout).items()
    }
    return {**found, **sections, stage_record.CODE_MATERIAL: files.read_json(layout.stage_digests_path)[stage]}


def parameter_sections(stage: str, layout: Layout) -> Mapping[str, object]:
    document = config.read_plain_yaml(layout.params_path)
    return {name: document[name] for name in DVC_STAGES[stage].param_sections if name in document}


def input_file_stats(stage: str, layout: Layout) -> dict[str, tuple[int, int, int, int]]:
    """Return the inode, size, mtime and ctime of every file that a stage reads, to detect changes.

    If a value has changed, digests must be compared: the ctime also changes if another run creates a hard link to the
    file.
    """
    _, _, which = stage.partition("@")
    named = [
        layout.root / name for name in (*DVC_STAGES[stage].dependency_paths(which), "params.yaml", "inputs/stages.json")
    ]
    paths = [path for top in named for path in ([top] if top.is_file() else sorted(top.rglob("*")))]
    return {
        str(path): (it.st_ino, it.st_size, it.st_mtime_ns, it.st_ctime_ns) for path in paths if (it := path.lstat())
    }


def output_digests(stage: str, layout: Layout) -> dict[str, str]:
    """Return the SHA-256 digest of every file that a stage has written.

    Raises:
        InputError: An output is a link.
    """
    try:
        return {
            f"{place.relative_to(layout.root).as_posix()}/{name}": sha256
            for place in layout.output_folders(stage, DVC_STAGES[stage].has_measurements)
            for name, sha256 in files.tree_manifest(place).items()
        }
    except ValueError as error:
        raise InputError(str(error)) from None
