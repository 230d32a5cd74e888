"""Names of people: found by cues, by name lists, and by a language model in the rest.

cues.py               names after a cue, such as a title or a greeting
cue_patterns.py       patterns of the cues
gazetteer.py          names on lists, and capitalised words that no list explains
name_rules.py         rules by which a capitalised word counts as a name
lists.py              lists of names and of words that look like names
known_words.py        words of English and German, and brands, which are no names
capitalised_words.py  capitalised words of a text, and runs of them
lower_case.py         names in lower case
language.py           choice between English and German
spacy_model.py        the language model
"""
