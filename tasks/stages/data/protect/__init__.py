"""Detection and replacement of personal and secret text, before stage `ingest` writes any record.

    detected_span.py     detected spans: ranges of characters, each with a category
    recognisers/         recognisers, one kind of value per file
    terms.py             search for the owner's own terms: trade secrets, internal names
    owner_detectors/     detectors that the owner of a source brings: models, and lists of patterns
    text_detection.py    detection in the texts of a batch, by all of these together
    labels.py            search in labels, which have no sentence around them
    tokens.py            keyed tokens: equal values have equal tokens
    placeholders.py      the placeholders that stand for values in a protected text
    actions.py           replacement of the detected spans of one text, as its source declares
    propagation.py       consistent replacement: a value detected in one text of a record is replaced in all of them
        decoded_text.py  decoding of escapes and entities, with conversion of offsets back to the original text
        words.py         words of a text in the normal form in which texts are compared
        aho_corasick.py  search for many sequences of words at once
        values.py        detected values, and the rules by which other text counts as the same value
        value_index.py   search for detected values in a text
        spans.py         operations on overlapping and nested spans
    json_spans.py        spans of the original text, cut to JSON strings and numbers, so that JSON stays valid
    records.py           protection of a batch of records

Each source declares an action for each category in sources.yaml (`tasks.sources.protection`).
"""
