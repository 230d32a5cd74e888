"""Outcome of a release's gates as an SLSA verification summary (attestations/summary.json).

The summary tells other tools that the release was verified and promoted
(https://slsa.dev/spec/v1.1/verification_summary). It claims only SLSA build level 1, although the provenance is also
signed. For a higher level, the operator would have to prove that the build platform is isolated from its users.
"""

from collections.abc import Mapping
from typing import Any

from tasks.registry.release.promotions import Promotion
from tasks.registry.release.provenance import installation_uri

PREDICATE_TYPE = "https://slsa.dev/verification_summary/v1"
PATH = "attestations/summary.json"
POLICY_FILE = "attestations/policy.json"


def summary_predicate(promotion: Promotion, listing: Mapping[str, str], gate_key: str) -> dict[str, Any]:
    """Return the verification summary of a release. The verifier is the installation with the gate key `gate_key`.

    Verifiers recompute the summary from the release's other files, and compare it with the stored one. The summary for
    version 1 of the promotion statement must therefore never change.
    """
    inputs = {name: sha256 for name, sha256 in listing.items() if name.startswith("attestations/") and name != PATH}
    return {
        "verifier": {"id": installation_uri(gate_key)},
        "timeVerified": f"{promotion.time:%Y-%m-%dT%H:%M:%SZ}",
        "resourceUri": f"urn:hallmark:release:{promotion.environment}:{promotion.label}",
        "policy": {"uri": POLICY_FILE, "digest": {"sha256": listing[POLICY_FILE]}},
        "inputAttestations": [{"uri": name, "digest": {"sha256": sha256}} for name, sha256 in sorted(inputs.items())],
        "verificationResult": "PASSED",
        "verifiedLevels": ["SLSA_BUILD_LEVEL_1", f"HALLMARK_GATES_{promotion.tier.upper()}"],
        "slsaVersion": "1.1",
    }
