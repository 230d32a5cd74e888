"""Digests of a stage's materials, which determine its outputs, and digests of the outputs."""

from collections.abc import Mapping

from tasks.core import files
from tasks.core.documents import config
from tasks.core.errors import InputError
from tasks.core.graph import DVC_STAGES
from tasks.core.layout import Layout
from tasks.trust import stage_record


def read_digests(stage: str, layout: Layout) -> dict[str, str]:
    """Return the digests of a stage's materials: code, sections of the parameters, inputs and gate statements.

    Inputs that do not exist are omitted.

    Raises:
        InputError: A path is or contains a link.
    """
    _, _, which = stage.partition("@")
    named = {name: layout.root / name for name in DVC_STAGES[stage].dependencies(which)}
    try:
        found = {name: files.path_digest(path) for name, path in named.items() if path.exists()}
    except ValueError as error:
        raise InputError(str(error)) from None
    sections = {
        f"params.yaml#{name}": stage_record.section_digest(value)
        for name, value in parameter_sections(stage, layout).items()
    }
    return {**found, **sections, stage_record.CODE_MATERIAL: files.read_json(layout.stages)[stage]}


def parameter_sections(stage: str, layout: Layout) -> Mapping[str, object]:
    document = config.read_plain(layout.params)
    return {name: document[name] for name in DVC_STAGES[stage].params if name in document}


def input_marks(stage: str, layout: Layout) -> dict[str, tuple[int, int, int, int]]:
    """Return the inode, size, mtime and ctime of every file that a stage reads, to detect changes.

    The ctime also changes if another run creates a hard link to the file. If a value has changed, digests must
    therefore be compared.
    """
    _, _, which = stage.partition("@")
    named = [
        layout.root / name for name in (*DVC_STAGES[stage].dependencies(which), "params.yaml", "inputs/stages.json")
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
