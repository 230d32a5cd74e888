"""A release as a folder, and the statements beside its payload.

bundle.py           a release as a folder
contents.py         what lies in that folder, read once
promotions.py       the chain of signed promotion statements: which release is in production
reigns.py           from when until when each was the newest
gate_results.py     a gate as an in-toto test result
provenance.py       where a release comes from, as SLSA provenance
summary.py          that it was let into production, as an SLSA verification summary
model_signature.py  OpenSSF Model Signing over its payload
report.py           what a verification found
"""
