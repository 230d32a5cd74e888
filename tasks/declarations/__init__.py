"""Declarations: the documents about sources in sources.yaml and use-case cards that their owners sign.

signed_declaration.py  documents that an owner signs
criteria.py            acceptance criteria of a release, and their comparison with those of the last promotion
status.py              declarations in force, read from the ledger
signing.py             signatures under declarations
declarations.py        comparison of a run's sources and card with the declarations in force
"""
