"""Near-identical texts: found by MinHash, proven by exact Jaccard.

    form.py         what of a text is compared
    markers.py      version markers and dates, which revisions of a text differ in
    versions.py     how new a text says it is by them
    shingles.py     a form as the set of its 5-byte windows
    signatures.py   shingles as 32 band keys (rensa)
    candidates.py   band keys to pairs worth a look
    jaccard.py      which of those are really near
    pairs.py        all of it: forms in, near pairs out
    parts.py        … in parts that fit into memory
    groups.py       what hangs together by pairs

Nothing here knows what a record is. All of it works on Arrow and NumPy columns, batch by batch.
"""
