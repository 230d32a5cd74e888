"""Verification of a release from its folder and the fingerprint of the root key.

trust.py                   trusted keys, and the adoptions that establish them
attestations.py            parsed attestations of a release
attestation_checks.py      checks of gates, evidence and decisions against each other
declaration_checks.py      checks of the adoptions of sources and use-case card
stage_record_checks.py     checks of the stage records, which form one chain from the sources to the payload
decision_checks.py         checks of the decisions against the rules in tasks/gates/rules/
standard_format_checks.py  checks of the attestations in standard formats
omitted_weights.py         verification of a release's copy that lacks the weights
payload_size.py            limit on the size of a payload, checked before it is hashed
promotion_proof.py         inclusion proof of the promotion's ledger entry
verification.py            verification of a release, which runs all checks in order
"""
