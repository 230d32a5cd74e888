"""payload/manifest.json: what a release was made from, by digest."""

from pathlib import Path
from typing import Any, Literal

from tasks.core import files
from tasks.core.document import Document, why
from tasks.core.errors import InputError, Refused
from tasks.core.layout import Layout
from tasks.core.params.values import Sha256

UNDECIDING = ("authority.json", "champion.json", "code.json", "request.json", "stages.json")
"""Files of inputs/ that decide who may let a candidate pass, what it is compared with, what else its commit holds and
who asked for it, but not one byte of the candidate. The last one is of its code, which is said apart."""


class Manifest(Document):
    """Holds no time, host, person or run: the same inputs give the same bytes."""

    type: Literal["urn:hallmark:manifest:v1"] = "urn:hallmark:manifest:v1"
    name: str
    """Of the registered model: `use_case.name`."""
    tier: str
    """Risk tier under which it was gated."""
    demo: bool
    """The evaluation gate was passed on a run under --demo-approvals."""
    method: str
    """How it was trained, which says what payload/model is: `tasks.core.params.methods`."""
    tree_sha256: Sha256
    """Of all that the run's commit holds, as git has it (`tasks.runs.tree`)."""
    code_sha256: Sha256
    """Of the code of all stages: `tasks.core.code.digest`."""
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


def describe(layout: Layout, *, name: str, method: str, tier: str, demo: bool) -> Manifest:
    """The manifest of the candidate in `layout`. Raises InputError where a stage has not run."""
    code = files.read_json(layout.stages)
    earlier = [name.replace("@", "/") for name in code if name != "package"]
    missing = [name for name in earlier if not (layout.stage(name) / "result.json").is_file()]
    if missing:
        raise InputError(f"package needs the outputs of every earlier stage; {', '.join(missing)} left no result.json")
    base = files.read_json(layout.stage("base_model") / "result.json")
    return Manifest(
        name=name,
        tier=tier,
        demo=demo,
        method=method,
        base_model_origin=base["origin"],
        base_model_licence=base["licence"],
        base_model_sha256=base["sha256"],
        stages={name: _digest(layout, name) for name in earlier},
        **read_by_stages(layout, files.sha256_bytes(files.canonical_json(code))),
    )


def _digest(layout: Layout, stage: str) -> str:
    try:
        return files.tree_digest(layout.stage(stage))
    except ValueError as error:
        raise InputError(f"package: {error}; remove it and run the stage {stage} again") from None


def deciding_inputs(layout: Layout) -> list[Path]:
    """The files of inputs/ that decide the candidate, sorted by name."""
    return sorted(path for path in layout.inputs.glob("*.json") if path.name not in UNDECIDING)


def read_by_stages(layout: Layout, code_sha256: str) -> dict[str, Any]:
    """The fields of a manifest that say what stages read beside each other's output, as it lies in `layout` now.

    `code_sha256` is the digest of their code: as the run was resolved, or as whoever judges it works it out.
    """
    read = [*deciding_inputs(layout), layout.champion]
    return {
        "tree_sha256": files.read_json(layout.code)["tree_sha256"],
        "code_sha256": code_sha256,
        "params_sha256": files.sha256_file(layout.params),
        "constraints_sha256": files.sha256_file(layout.root / "constraints.txt"),
        "inputs": {path.name: files.sha256_file(path) for path in sorted(read)},
    }


def read(payload: Path) -> Manifest:
    """Read payload/manifest.json. Raises Refused where it is absent or says something else."""
    path = payload / "manifest.json"
    try:
        return Manifest.read_bytes(path.read_bytes())
    except (OSError, ValueError) as error:
        raise Refused(f"{path}: no manifest of a release can be read here ({why(error)})") from None
