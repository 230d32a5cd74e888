"""Outcome of a release's gates as an SLSA verification summary (attestations/summary.json).

The summary tells other tools that the release was verified and promoted
(https://slsa.dev/spec/v1.1/verification_summary). It claims SLSA build level 1: provenance exists and is signed. A
higher level would require proof, from the operator, that the build platform is isolated from its users.
"""

from collections.abc import Mapping
from typing import Any

from tasks.registry.release.promotions import Promotion
from tasks.registry.release.provenance import installation_uri

PREDICATE_TYPE = "https://slsa.dev/verification_summary/v1"
PATH = "attestations/summary.json"
POLICY = "attestations/policy.json"


def predicate(promotion: Promotion, listing: Mapping[str, str], gate_key: str) -> dict[str, Any]:
    """Return the verification summary of a release. The verifier is the installation with the gate key `gate_key`.

    Verifiers compute the summary again from the release's other files and compare. The summary for version 1 of the
    promotion statement must therefore never change.
    """
    inputs = {name: sha256 for name, sha256 in listing.items() if name.startswith("attestations/") and name != PATH}
    return {
        "verifier": {"id": installation_uri(gate_key)},
        "timeVerified": f"{promotion.time:%Y-%m-%dT%H:%M:%SZ}",
        "resourceUri": f"urn:hallmark:release:{promotion.environment}:{promotion.label}",
        "policy": {"uri": POLICY, "digest": {"sha256": listing[POLICY]}},
        "inputAttestations": [{"uri": name, "digest": {"sha256": sha256}} for name, sha256 in sorted(inputs.items())],
        "verificationResult": "PASSED",
        "verifiedLevels": ["SLSA_BUILD_LEVEL_1", f"HALLMARK_GATES_{promotion.tier.upper()}"],
        "slsaVersion": "1.1",
    }
