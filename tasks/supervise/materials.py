"""Digests of everything that decides a stage's outputs, and of the outputs."""

from collections.abc import Mapping

from tasks.core import files
from tasks.core.documents import config
from tasks.core.errors import InputError
from tasks.core.graph import DVC_STAGES
from tasks.core.layout import Layout
from tasks.trust import stage_record


def read_digests(stage: str, layout: Layout) -> dict[str, str]:
    """Return the digests of everything that a stage reads: code, sections of parameters, inputs, gate statements.

    Inputs that do not exist are left out.

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
    """Return values that change if a file that the stage reads changes: inode, size, and times of content and inode.

    The time of the inode also changes if another run links to the file. So if a value has changed, digests have to be
    compared.
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
    """Return the SHA-256 of every file that a stage wrote.

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
