"""Files of a run's worktree that a stage sees: exactly the files whose digests are in its record.

The code is copied, so the stage sees neither other files next to it nor later changes to it. The inputs are mounted
read-only at their own paths. The stage sees only its own sections of the parameters.
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


def prepare_stage_folder(stage: str, layout: Layout, read_paths: Iterable[Path], code_folder: Path) -> None:
    """Copy the code of a stage to `code_folder`, and create the folders and files over which its inputs are mounted.

    Raises:
        Refused: The copied code differs from the code with which the run was resolved.
    """
    for path in code_digest.stage_files(layout.root, DVC_STAGES[stage].name):
        target = code_folder / path.relative_to(layout.root)
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(path, target)
    require_resolved_code(stage, layout, code_folder)
    for name in ("artefacts", "measured"):
        (code_folder / name).mkdir()
    if layout.params_path not in read_paths:
        with (code_folder / "params.yaml").open("w") as file:
            YAML().dump(materials.parameter_sections(stage, layout), file)
    if layout.stage_digests_path not in read_paths:
        files.write_json(
            code_folder / "inputs" / "stages.json", {stage: files.read_json(layout.stage_digests_path)[stage]}
        )
    for path in (path for path in read_paths if path.is_relative_to(layout.root)):
        place = code_folder / path.relative_to(layout.root)
        place.parent.mkdir(parents=True, exist_ok=True)
        place.mkdir(exist_ok=True) if path.is_dir() else place.touch()


def require_resolved_code(stage: str, layout: Layout, code_folder: Path) -> None:
    if (
        code_digest.stage_digest(code_folder, DVC_STAGES[stage].name)
        != files.read_json(layout.stage_digests_path)[stage]
    ):
        raise Refused(
            f"the code of stage {stage} in {layout.root} is not what the run was resolved with, or an earlier "
            "version of Hallmark resolved it; start a new run"
        )


def input_paths(stage: str, layout: Layout) -> list[Path]:
    _, _, which = stage.partition("@")
    return [
        path
        for path in sorted({layout.root / name for name in DVC_STAGES[stage].dependency_paths(which)})
        if path.exists()
    ]
