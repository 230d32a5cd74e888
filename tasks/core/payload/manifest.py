"""payload/manifest.json: what a release was made from, by digest."""

from pathlib import Path
from typing import Any

from pydantic import ValidationError

from tasks.core import files, graph
from tasks.core.config import Frozen
from tasks.core.errors import InputError, Refused
from tasks.core.layout import Layout
from tasks.core.params import Params, Sha256
from tasks.core.payload import identity

STAGES = tuple(folder for stage in graph.STAGES.values() if stage.name != "package" for folder in stage.folders)
"""Every stage before `package`, by folder below artefacts/."""


class Manifest(Frozen):
    """Holds no time, host, person or run: the same inputs give the same bytes."""

    name: str
    """Of the registered model: `use_case.name`."""
    tier: str
    """Risk tier under which it was gated."""
    demo: bool
    """The evaluation gate was passed on a run under --demo-approvals."""
    method: str
    """`lora`: payload/model is an adapter for the base model; `full`: a whole model."""
    tree_sha256: Sha256
    """Of all that the run's commit holds, as git has it (`tasks.runs.tree`)."""
    code_sha256: Sha256
    """Of `tasks/`, the code that made it."""
    params_sha256: Sha256
    constraints_sha256: Sha256
    base_model_origin: str
    base_model_licence: str
    base_model_sha256: Sha256
    """Of the base model's weights as fetched."""
    inputs: dict[str, Sha256]
    """Files of inputs/ that the stages read."""
    stages: dict[str, Sha256]
    """`tasks.core.files.tree_digest` of what each earlier stage left, by its folder in artefacts/."""


def describe(params: Params, layout: Layout, tier: str, demo: bool) -> Manifest:
    """The manifest of the candidate in `layout`. Raises InputError where a stage has not run."""
    missing = [name for name in STAGES if not (layout.stage(name) / "result.json").is_file()]
    if missing:
        raise InputError(f"package needs the outputs of every earlier stage; {', '.join(missing)} left no result.json")
    base = files.read_json(layout.stage("base_model") / "result.json")
    return Manifest(
        name=params.use_case.name,
        tier=tier,
        demo=demo,
        method=params.training.method,
        base_model_origin=base["origin"],
        base_model_licence=base["licence"],
        base_model_sha256=base["sha256"],
        stages={name: _digest(layout, name) for name in STAGES},
        **read_by_stages(layout),
    )


def _digest(layout: Layout, stage: str) -> str:
    try:
        return files.tree_digest(layout.stage(stage))
    except ValueError as error:
        raise InputError(f"package: {error}; remove it and run the stage {stage} again") from None


def read_by_stages(layout: Layout) -> dict[str, Any]:
    """The fields of a manifest that say what stages read beside each other's output, as it lies in `layout` now."""
    read = [*identity.deciding_inputs(layout), layout.champion]
    return {
        "tree_sha256": files.read_json(layout.code)["tree_sha256"],
        "code_sha256": files.code_digest(layout.root / "tasks"),
        "params_sha256": files.sha256_file(layout.params),
        "constraints_sha256": files.sha256_file(layout.root / "constraints.txt"),
        "inputs": {path.name: files.sha256_file(path) for path in sorted(read)},
    }


def read(payload: Path) -> Manifest:
    """Read payload/manifest.json. Raises Refused where it is absent or says something else."""
    path = payload / "manifest.json"
    try:
        return Manifest.model_validate_json(path.read_bytes())
    except (OSError, ValidationError) as error:
        raise Refused(f"{path}: no manifest of a release can be read here ({str(error).splitlines()[0]})") from None
