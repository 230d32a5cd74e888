"""Manifest of a release, payload/manifest.json: digests of everything that the release was built from."""

from pathlib import Path
from typing import Any, Literal

from tasks.core import files
from tasks.core.documents.document import Document, document_error_message
from tasks.core.errors import InputError, Refused
from tasks.core.json_text import canonical_json
from tasks.core.layout import Layout
from tasks.core.params.values import Sha256

FILE_NAME = "manifest.json"
INPUTS_WITHOUT_EFFECT = ("authority.json", "champion.json", "code.json", "request.json", "stages.json")
"""Files in inputs/ that do not count as inputs of the candidate. Gate keys, champion, file tree and run request do not
affect its bytes. The code digests in stages.json do, but the manifest covers them with `code_sha256`."""


class Manifest(Document):
    """Digests of everything that a release was built from.

    The manifest does not contain times, hosts, people or run ids, so that the same inputs give the same bytes.
    """

    type: Literal["urn:hallmark:manifest:v1"] = "urn:hallmark:manifest:v1"
    name: str
    """Name of the registered model, `use_case.name` in params.yaml."""
    tier: str
    """Risk tier of the run, which determined its gates."""
    demo: bool
    """Whether the run passed its evaluation gate with --demo-approvals."""
    method: str
    """Training method (`tasks.core.params.methods`), which determines the format of payload/model."""
    tree_sha256: Sha256
    """SHA-256 of the whole file tree of the run's commit (`tasks.runs.git.commit_tree`)."""
    code_sha256: Sha256
    """SHA-256 of the code of all stages (`tasks.core.code_digest`)."""
    params_sha256: Sha256
    constraints_sha256: Sha256
    base_model_origin: str
    base_model_licence: str
    base_model_sha256: Sha256
    """SHA-256 of the base model's weights as they were downloaded."""
    inputs: dict[str, Sha256]
    """SHA-256 of each file in inputs/ that the stages read, by file name."""
    stages: dict[str, Sha256]
    """SHA-256 of the artefacts of each stage before `package` (`tasks.core.files.tree_digest`), by the stage's folder
    in artefacts/."""


def build_manifest(layout: Layout, *, name: str, method: str, tier: str, demo: bool) -> Manifest:
    code = files.read_json(layout.stage_digests_path)
    earlier = [name.replace("@", "/") for name in code if name != "package"]
    missing = [name for name in earlier if not (layout.artefacts(name) / "result.json").is_file()]
    if missing:
        raise InputError(f"package needs the outputs of every earlier stage; {', '.join(missing)} left no result.json")
    base = files.read_json(layout.artefacts("base_model") / "result.json")
    return Manifest(
        name=name,
        tier=tier,
        demo=demo,
        method=method,
        base_model_origin=base["origin"],
        base_model_licence=base["licence"],
        base_model_sha256=base["sha256"],
        stages={name: _stage_output_digest(layout, name) for name in earlier},
        **build_input_fields(layout, files.sha256_bytes(canonical_json(code))),
    )


def _stage_output_digest(layout: Layout, stage: str) -> str:
    try:
        return files.tree_digest(layout.artefacts(stage))
    except ValueError as error:
        raise InputError(f"package: {error}; remove it and run the stage {stage} again") from None


def effective_inputs(layout: Layout) -> list[Path]:
    """Return the files in inputs/ that affect the bytes of the candidate, except stages.json, sorted by name."""
    return sorted(path for path in layout.inputs_folder.glob("*.json") if path.name not in INPUTS_WITHOUT_EFFECT)


def build_input_fields(layout: Layout, code_sha256: str) -> dict[str, Any]:
    """Return the manifest fields that describe the run's commit, code, parameters and other inputs.

    Args:
        layout: Paths of the worktree to read from.
        code_sha256: Digest of the code of all stages. It was either recorded when the run was resolved, or computed
            again to verify the run.
    """
    read = [*effective_inputs(layout), layout.champion_path]
    return {
        "tree_sha256": files.read_json(layout.code_path)["tree_sha256"],
        "code_sha256": code_sha256,
        "params_sha256": files.sha256_file(layout.params_path),
        "constraints_sha256": files.sha256_file(layout.root / "constraints.txt"),
        "inputs": {path.name: files.sha256_file(path) for path in sorted(read)},
    }


def read_manifest(payload: Path) -> Manifest:
    path = payload / FILE_NAME
    try:
        return parse_manifest(path.read_bytes(), path)
    except OSError as error:
        raise _unreadable(path, error) from None


def parse_manifest(data: bytes, path: Path) -> Manifest:
    """Parse a manifest that was read from `path`.

    Raises:
        Refused: The bytes are no manifest.
    """
    try:
        return Manifest.from_bytes(data)
    except ValueError as error:
        raise _unreadable(path, error) from None


def _unreadable(path: Path, error: OSError | ValueError) -> Refused:
    return Refused(f"{path}: no manifest of a release can be read here ({document_error_message(error)})")
