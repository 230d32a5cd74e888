"""Near-identical texts: found by MinHash, proven by exact Jaccard similarity, and compared word by word.

Similar texts are found with:

    form.py        normalised form of a text, on which similarity is measured
    markers.py     patterns of version markers and dates, in which editions of a text differ
    shingles.py    shingles of a text: its windows of five bytes
    signatures.py  32 band keys of a set of shingles (library rensa)
    candidates.py  pairs of texts with a common band key
    jaccard.py     exact Jaccard similarity of candidate pairs
    pairs.py       all of these steps, from texts to similar pairs
    corrections.py pairs of short texts that are equal once typos are corrected
    batches.py     division of the work into parts that fit into memory
    groups.py      groups of texts that are connected by pairs

Similar texts are compared with:

    editions.py     edition that a text states, and the rest of the text
    content.py      words of a text, without case, punctuation and courtesy phrases
    equality.py     comparison of two texts, which say the same if they differ in nothing but typos
    typos.py        recognition of typos
    vocabulary.py   number of uses of each word
    target_form.py  normal form of targets
    lists/          word lists: courtesy phrases, and words that are never typos

The package works on texts rather than records. The search for pairs works on Arrow and NumPy columns, batch by batch;
the comparison of two texts works on strings.
"""
