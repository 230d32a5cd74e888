"""The append-only ledger of who did what, and the proofs that nothing in it was changed.

This package uses keys, but knows nothing of policy.

ledger.py               the ledger: entries, attached documents and the tree over them
tables.py               SQL statements for SQLite and Postgres
schema.py               names and columns of the tables
guards.py               triggers that keep the tables append-only
access_paths.py         check that no index, view or policy hides entries from readers
earlier_format.py       detection of a ledger that an early commit wrote in another format
entry.py                an entry as a row, as a leaf of the tree and as an object
attachments.py          documents attached to entries, and their compression
kinds.py                kinds of entries, with a description
open_questions.py       open questions of gates
leases.py               leases for work that only one of several machines does at a time
search.py               search by kind, run, person and time
tree/                   Merkle tree of RFC 9162
roots.py                roots over ranges of entries, for proofs
heads/                  signed heads of the tree, and their publication
head_files.py           file names and bounds of signed heads
entry_verification.py   verification of entries against heads
quick_check.py          quick check before every command that reads the ledger
ledger_verification.py  `hallmark ledger verify`
proof.py                inclusion and consistency proofs
export.py               the whole ledger as a file
"""
