"""Declarations: documents that owners sign about the sources in sources.yaml and about use-case cards.

signed_declaration.py  documents that an owner signs
criteria.py            acceptance criteria of a release, and their comparison with those of the last promotion
status.py              declarations in force, read from the ledger
signing.py             signatures under declarations
declarations.py        comparison of a run's sources and card with the declarations in force
"""
