"""What the people who answer for data and for a use case have signed of them: sources as sources.yaml declares them,
the card of a use case with what it asks of a version.

signed_declaration.py  what they sign
bar.py                 what a version is held to, and whether the next asks less of itself
standing.py            what is in force, read from the ledger
signing.py             signing a declaration
declarations.py        whether what a run reads and asks of itself is what was adopted
"""
