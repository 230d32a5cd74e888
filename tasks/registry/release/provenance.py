"""Origin of a release as SLSA provenance v1 (attestations/provenance.json, https://slsa.dev/spec/v1.1/provenance).

The `buildType` stands for the execution of the stages of dvc.yaml at the commit, with params.yaml and with the inputs
and packages that the document lists. Digests of folders (dataset, stages) are computed by
`tasks.core.files.tree_digest`. Digests of files are plain SHA-256.
"""

from collections.abc import Mapping
from typing import Any

from tasks.core.payload.manifest import Manifest
from tasks.registry.release.promotions import Promotion
from tasks.sources.dataset import Dataset

PREDICATE_TYPE = "https://slsa.dev/provenance/v1"
PATH = "attestations/provenance.json"
BUILD_TYPE = "urn:hallmark:retrain:v1"
RUN_REQUEST = "attestations/request.json"


def provenance_predicate(
    promotion: Promotion, manifest: Manifest, dataset: Dataset, listing: Mapping[str, str], gate_key: str
) -> dict[str, Any]:
    """Return the provenance of a release. The builder is the installation with the gate key `gate_key`.

    Verifiers recompute the document from the release's other files, and compare it with the stored one. The document
    for `buildType` v1 must therefore never change. To change the content, add a v2 and let verifiers choose by
    `buildType`.
    """
    return {
        "buildDefinition": {
            "buildType": BUILD_TYPE,
            "externalParameters": {
                "params": _resource("params.yaml", manifest.params_sha256),
                "requested_by": promotion.requested_by,
                "request": _resource(RUN_REQUEST, listing[RUN_REQUEST]),
            },
            "internalParameters": {
                "environment": promotion.environment,
                "tier": manifest.tier,
                "demo": manifest.demo,
                "candidate_inputs": promotion.candidate_inputs,
            },
            "resolvedDependencies": [
                {"name": "commit", "digest": {"gitCommit": promotion.commit}},
                _resource("tree", manifest.tree_sha256),
                _resource("tasks", manifest.code_sha256),
                _resource("constraints.txt", manifest.constraints_sha256),
                _resource("base-model", manifest.base_model_sha256)
                | {"annotations": _base_model_annotations(manifest)},
                _resource("dataset", manifest.stages["split"]),
                *(_resource(f"source/{name}", source.sha256) for name, source in sorted(dataset.sources.items())),
                *(_resource(f"inputs/{name}", sha256) for name, sha256 in sorted(manifest.inputs.items())),
            ],
        },
        "runDetails": {
            "builder": {"id": installation_uri(gate_key)},
            "metadata": {"invocationId": promotion.run},
            "byproducts": [_resource(f"artefacts/{name}", sha256) for name, sha256 in sorted(manifest.stages.items())],
        },
    }


def installation_uri(gate_key: str) -> str:
    """Return a URN that identifies a Hallmark installation by the fingerprint of its gate key."""
    return f"urn:hallmark:installation:{gate_key}"


def _resource(name: str, sha256: str) -> dict[str, Any]:
    return {"name": name, "digest": {"sha256": sha256}}


def _base_model_annotations(manifest: Manifest) -> dict[str, str]:
    return {"origin": manifest.base_model_origin, "licence": manifest.base_model_licence}
