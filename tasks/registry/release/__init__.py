"""Format of a release: its folder, and the statements that accompany its payload.

bundle.py              layout of a release's folder, and the digests of its parts
contents.py            files in that folder; each is hashed and parsed in one read
promotions.py          chain of signed promotion statements, which determines the release in production
production_periods.py  period in which each promotion statement was the newest
gate_results.py        outcome of a gate, as an in-toto test result
provenance.py          origin of a release, as SLSA provenance
summary.py             outcome of the gates, as an SLSA verification summary
model_signature.py     signature of the payload in the format of OpenSSF Model Signing
report.py              result of a verification, as text and as JSON
"""
