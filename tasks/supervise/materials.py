"""What decides the outputs of a stage, and these, by digest."""

from collections.abc import Mapping

from tasks.core import config, files
from tasks.core.errors import InputError
from tasks.core.graph import RUNS
from tasks.core.layout import Layout
from tasks.trust import stage_record


def read(stage: str, layout: Layout) -> dict[str, str]:
    """What it reads, as far as it is there: its code, its sections of the parameters, inputs, outputs of other stages,
    the statements of gates. Raises InputError for a link."""
    _, _, which = stage.partition("@")
    named = {name: layout.root / name for name in RUNS[stage].dependencies(which)}
    try:
        found = {name: files.path_digest(path) for name, path in named.items() if path.exists()}
    except ValueError as error:
        raise InputError(str(error)) from None
    sections = {
        f"params.yaml#{name}": stage_record.value_digest(value) for name, value in parameters(stage, layout).items()
    }
    return {**found, **sections, stage_record.CODE: files.read_json(layout.stages)[stage]}


def parameters(stage: str, layout: Layout) -> Mapping[str, object]:
    """Its own sections of params.yaml, as far as they are there."""
    document = config.read_plain(layout.params)
    return {name: document[name] for name in RUNS[stage].params if name in document}


def marks(stage: str, layout: Layout) -> dict[str, tuple[int, int, int, int]]:
    """What changes with a file that the stage reads: inode, size, times of its content and of itself. Another link to
    it, from another run, changes the last, so it asks for a second look and says nothing by itself."""
    _, _, which = stage.partition("@")
    named = [layout.root / name for name in (*RUNS[stage].dependencies(which), "params.yaml", "inputs/stages.json")]
    paths = [path for top in named for path in ([top] if top.is_file() else sorted(top.rglob("*")))]
    return {
        str(path): (it.st_ino, it.st_size, it.st_mtime_ns, it.st_ctime_ns) for path in paths if (it := path.lstat())
    }


def left(stage: str, layout: Layout) -> dict[str, str]:
    """SHA-256 of every file that it left. Raises InputError for a link."""
    try:
        return {
            f"{place.relative_to(layout.root).as_posix()}/{name}": sha256
            for place in layout.outputs(stage, RUNS[stage].measures)
            for name, sha256 in files.tree_manifest(place).items()
        }
    except ValueError as error:
        raise InputError(str(error)) from None
