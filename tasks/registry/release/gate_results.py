"""Outcome of a gate as an in-toto test result (attestations/results/GATE.json).

https://github.com/in-toto/attestation/blob/main/spec/predicates/test-result.md
"""

from typing import Any

from tasks.gates.evidence import Evidence

PREDICATE_TYPE = "https://in-toto.io/attestation/test-result/v0.1"


def result_path(gate: str) -> str:
    return f"attestations/results/{gate}.json"


def result_predicate(evidence: Evidence, approved_by: list[str]) -> dict[str, Any]:
    """Return a test result that lists every check and approval as a test, and every waived check as a warning.

    Verifiers recompute the result from the evidence and decisions in the release, and compare it with the stored one.
    The result for version 1 of the evidence format must therefore never change.
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
