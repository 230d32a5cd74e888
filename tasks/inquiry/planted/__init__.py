"""How much of what was planted in a drill's sources the stages found. Read in this order:

    truth.py        the table beside the sources that says what was planted, and which rules ought to find it
    rows.py         rows that are wrong as a whole: which rule took them out
    values.py       values within texts: how much of them was replaced
        texts.py        a record's texts beside those of its source
        replaced.py     what stood where a record has a class or a token
        characters.py   recall and precision, character by character
    score.py        all of it for a run, as figures
    figures.py      what masking missed, by class, for the data gate

No stage reads the truth, or what it says could leak into what a model learns; and DVC does not know of these figures,
since nothing may depend on them. The report asks for them where sources.yaml names a truth, from the run's own
artefacts and the sources as pinned.
"""
