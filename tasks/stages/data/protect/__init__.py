"""What is about people, or secret, is found and replaced before anything of a source is written.

    stretch.py        a stretch of text and the class it is of
    recognise/        who finds what, one family a file
    terms.py          the owner's own words: trade secrets, internal names
    tokens.py         keyed tokens: the same value, the same token
    placeholders.py   what stands in the place of a value
    actions.py        a text with what was found replaced as its source says
    agree.py          what was found in one text of a record is found in all of them
        words.py          the words of a text, as they are compared between texts
        sequences.py      many sequences of words, looked for together
        telling.py        where else the words of a value are that value
        sought.py         values, looked for in a text
        pieces.py         stretches beside and within each other
    records.py        the records of a batch, protected together

What each source wants done with each class stands in sources.yaml (`tasks.sources.protection`).
"""
