"""Near-identical texts: found by MinHash, proven by exact Jaccard; and which of them say the same.

    form.py         what of a text is measured
    markers.py      version markers and dates, which revisions of a text differ in
    shingles.py     a form as the set of its 5-byte windows
    signatures.py   shingles as 32 band keys (rensa)
    candidates.py   band keys to pairs worth a look
    jaccard.py      which of those are really near
    pairs.py        all of it: forms in, near pairs out
    parts.py        … in parts that fit into memory
    groups.py       what hangs together by pairs

and, of what is near, what says the same:

    editions.py     which edition a text says it is, and the rest of it
    content.py      that word by word, without case, punctuation, courtesies
    tells_apart.py  whether two contents say the same: nothing but slips of typing tells them apart
    slips.py        what is a slip, and what another word
    vocabulary.py   how often the texts at hand use a word
    answers.py      what two targets have in common that say the same
    lists/          courtesies, and the words that are never slips

Nothing here knows what a record is. What finds pairs works on Arrow and NumPy columns, batch by batch; what compares
the two texts of a pair works on strings.
"""
