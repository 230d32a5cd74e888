"""The append-only record of who did what, and how it shows that nothing was changed. It takes keys and knows no policy.

ledger.py     the append-only table and the tree over it
tables.py     the tables in SQLite or Postgres, which schema.py names
schema.py     their names and columns
guards.py     triggers
earlier.py    a ledger that an earlier version hashed in another form
entry.py      an entry, as a row, as a leaf of the tree, as it is read
attached.py   what is attached to an entry, and how it is packed
kinds.py      the kinds of entries, in words
questions.py  the gates that ask and are not closed yet
leases.py     which of several machines does what one is enough for
search.py     entries by kind, run, person, time
tree/         the tree of RFC 9162: merkle.py, and subtrees.py, roots that are kept
roots.py      roots over ranges of entries
heads/        signed heads of the tree, and where they are published
head_files.py how the file of one is named
walk.py       entries against heads, wherever they come from
glance.py     a short look at it, before every command that reads it
check.py      `hallmark ledger verify`
proof.py      proofs about one entry, and between two heads
export.py     the whole ledger as a file
"""
