"""Verification of a release from its folder and one fingerprint.

trust.py         trusted keys, and the adoptions that they follow from
attestations.py  attestations of a release, parsed
attested.py      checks of gates, evidence and decisions against each other
declared.py      checks of the adoptions of sources and use-case card
made.py          checks of the stage records, which form one chain from the sources to the payload
decided.py       checks of the decisions against the rules of tasks/gates/rules/
forms.py         checks of the attestations in standard formats
left_out.py      copies of a release without its weights
sizes.py         limit on the size of a payload, checked before it is hashed
recorded.py      inclusion proof of the promotion's ledger entry
verification.py  the verification itself, check by check
"""
