"""The ledger, and how it shows that nothing in it was changed.

ledger.py   the append-only table and the tree over it
tables.py   the tables in SQLite or Postgres, which schema.py names
guards.py   triggers
entry.py    an entry, as a row, as a leaf of the tree, as it is read
attached.py what is attached to an entry, and how it is packed
questions.py which gates stand open
merkle.py   the tree of RFC 9162: hashing, proofs
subtrees.py roots that are kept beside the entries
heads.py    signed heads of the tree
publish.py  where they go
places/     folder, S3, git remote
walk.py     entries against heads, wherever they come from
glance.py   a short look at it, before every command that reads it
check.py    `hallmark ledger verify`
roots.py    roots over ranges of entries, for
proof.py    proofs about one entry, and between two heads
export.py   the whole ledger as a file
search.py   entries by kind, run, person, time
"""
