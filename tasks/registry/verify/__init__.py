"""A release checked from its folder and one fingerprint.

trust.py         whose signatures count, and from what that follows
attestations.py  what stands beside its payload, parsed
attested.py      gates, evidence and decisions, held against each other
declared.py      what the owners of its sources and of its use case adopted
made.py          the records of its stages: one chain from the sources to the payload
decided.py       its decisions, held against the rules of tasks/gates/rules/
forms.py         the standard forms, held against them
left_out.py      a copy without its weights, which says so
sizes.py         how much there is to hash, before any of it is
recorded.py      proof that the promotion stands in the ledger
verification.py  check a release from its folder and one fingerprint
"""
