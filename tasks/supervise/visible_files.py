"""Files of a run's worktree that a stage sees: exactly the files whose digests are in its record.

The code is copied, so that the stage sees no other files next to it and no later change of it. The inputs are mounted
read-only at their own paths. Of the parameters, the stage sees only its own sections.
"""

import shutil
from collections.abc import Iterable
from pathlib import Path

from ruamel.yaml import YAML

from tasks.core import code_digest, files
from tasks.core.errors import Refused
from tasks.core.graph import DVC_STAGES
from tasks.core.layout import Layout
from tasks.supervise import materials


def lay_out_files(stage: str, layout: Layout, reads: Iterable[Path], tree: Path) -> None:
    """Copy the code of a stage to `tree`, and create the folders and files on which its inputs are mounted.

    Raises:
        Refused: The copied code differs from the code with which the run was resolved.
    """
    for path in code_digest.stage_files(layout.root, DVC_STAGES[stage].name):
        target = tree / path.relative_to(layout.root)
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(path, target)
    require_code(stage, layout, tree)
    for name in ("artefacts", "measured"):
        (tree / name).mkdir()
    if layout.params not in reads:
        with (tree / "params.yaml").open("w") as file:
            YAML().dump(materials.parameter_sections(stage, layout), file)
    if layout.stages not in reads:
        files.write_json(tree / "inputs" / "stages.json", {stage: files.read_json(layout.stages)[stage]})
    for path in (path for path in reads if path.is_relative_to(layout.root)):
        place = tree / path.relative_to(layout.root)
        place.parent.mkdir(parents=True, exist_ok=True)
        place.mkdir(exist_ok=True) if path.is_dir() else place.touch()


def require_code(stage: str, layout: Layout, tree: Path) -> None:
    if code_digest.stage_digest(tree, DVC_STAGES[stage].name) != files.read_json(layout.stages)[stage]:
        raise Refused(
            f"the code of stage {stage} in {layout.root} is not what the run was resolved with, or an earlier "
            "version of Hallmark resolved it; start a new run"
        )


def input_paths(stage: str, layout: Layout) -> list[Path]:
    _, _, which = stage.partition("@")
    return [
        path for path in sorted({layout.root / name for name in DVC_STAGES[stage].dependencies(which)}) if path.exists()
    ]
