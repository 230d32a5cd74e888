"""attestations/results/GATE.json: how a gate came out, as an in-toto test result.

https://github.com/in-toto/attestation/blob/main/spec/predicates/test-result.md
"""

from typing import Any

from tasks.gates.evidence import Evidence

PREDICATE_TYPE = "https://in-toto.io/attestation/test-result/v0.1"


def place(gate: str) -> str:
    """Its file in the release."""
    return f"attestations/results/{gate}.json"


def predicate(evidence: Evidence, approved_by: list[str]) -> dict[str, Any]:
    """Every check and approval as a test of the gate; a check that failed and was waived is a warning.

    Follows from evidence and decisions, so it is checked by making it again, and what it says of evidence v1 never
    changes.
    """
    waived = [check.name for check in evidence.checks if check.verdict == "failed"]
    passed = [check.name for check in evidence.checks if check.verdict == "passed"]
    return {
        "result": "WARNED" if waived else "PASSED",
        "configuration": [
            {"name": "attestations/policy.json", "digest": {"sha256": evidence.policy_sha256}},
            {"name": f"attestations/evidence/{evidence.gate}.json", "digest": {"sha256": evidence.sha256}},
        ],
        "passedTests": [*passed, *(f"approved by {who}" for who in approved_by)],
        "warnedTests": waived,
        "failedTests": [],
    }
