"""Check that the promoted files are the files that the gates' evidence describes.

If any byte of data, code, parameters, inputs or model changed after a gate, the decisions at that gate are void.
"""

from collections.abc import Mapping

from tasks.core.errors import Refused
from tasks.core.files import sha256_bytes, tree_manifest
from tasks.core.json_text import canonical_json
from tasks.core.layout import Layout
from tasks.core.payload.manifest import Manifest
from tasks.gates.evidence import Evidence, input_digests

MODEL_PREFIX = "payload/model/"


def require_files_unchanged(gates: Mapping[str, Evidence], layout: Layout, package: Manifest) -> None:
    """Verify that no file has changed since a gate judged it.

    Raises:
        Refused: A file changed; the message names the file and the gate.
    """
    now = input_digests(layout)
    for gate, evidence in gates.items():
        _require_same_digests(evidence.input_digests, now, gate)
        for stage, sha256 in package.stages.items():
            if (listing := _stage_files(evidence, stage)) and sha256_bytes(canonical_json(listing)) != sha256:
                raise Refused(f"the output of {stage} changed after the {gate} gate looked at it; run again")
    _require_trained_model(gates["evaluation"], layout)


def _require_same_digests(then: Mapping[str, str], now: Mapping[str, str], gate: str) -> None:
    if differ := sorted(path for path in then.keys() | now.keys() if then.get(path) != now.get(path)):
        raise Refused(f"{', '.join(differ)} changed after the {gate} gate looked at it; run again")


def _stage_files(evidence: Evidence, stage: str) -> dict[str, str]:
    prefix = f"artefacts/{stage}/"
    return {path.removeprefix(prefix): sha256 for path, sha256 in evidence.artefacts.items() if path.startswith(prefix)}


def _require_trained_model(evaluation: Evidence, layout: Layout) -> None:
    trained = {path.partition("/")[2]: sha256 for path, sha256 in _stage_files(evaluation, "train").items()}
    packed = tree_manifest(layout.artefacts("package"))
    other = [name for name, sha256 in packed.items()
             if name.startswith(MODEL_PREFIX) and trained.get(name.removeprefix(MODEL_PREFIX)) != sha256]  # fmt: skip
    if other:
        raise Refused(
            f"package: {', '.join(other)} is not what `train` left when the evaluation gate looked; run again"
        )
