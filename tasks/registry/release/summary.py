"""attestations/summary.json: that the release was verified and let into production, for tools that ask no further.

A verification summary of SLSA (https://slsa.dev/spec/v1.1/verification_summary). Level 1 is claimed: provenance exists
and is signed; how well the build platform is kept apart from its users is for its operator to show.
"""

from collections.abc import Mapping
from typing import Any

from tasks.registry.release.promotions import Promotion
from tasks.registry.release.provenance import installation

PREDICATE_TYPE = "https://slsa.dev/verification_summary/v1"
PLACE = "attestations/summary.json"
POLICY = "attestations/policy.json"


def predicate(promotion: Promotion, listing: Mapping[str, str], gate_key: str) -> dict[str, Any]:
    """What the installation with that gate key decided.

    Follows from the rest, so it is checked by making it again, and what it says of a promotion v1 never changes.
    """
    inputs = {name: sha256 for name, sha256 in listing.items() if name.startswith("attestations/") and name != PLACE}
    return {
        "verifier": {"id": installation(gate_key)},
        "timeVerified": f"{promotion.time:%Y-%m-%dT%H:%M:%SZ}",
        "resourceUri": f"urn:hallmark:release:{promotion.environment}:{promotion.label}",
        "policy": {"uri": POLICY, "digest": {"sha256": listing[POLICY]}},
        "inputAttestations": [{"uri": name, "digest": {"sha256": sha256}} for name, sha256 in sorted(inputs.items())],
        "verificationResult": "PASSED",
        "verifiedLevels": ["SLSA_BUILD_LEVEL_1", f"HALLMARK_GATES_{promotion.tier.upper()}"],
        "slsaVersion": "1.1",
    }
