"""Finds what is about people, and what opens something, in short English and German texts.

Read them in this order:

    detect.py       the recognisers as the detector of stage `ingest`, in the classes of sources.yaml
    span.py         what is found
    fold.py         how a text is made plain first, and how offsets are carried back
    windows.py      how a long text is cut
    wording.py      alternatives in patterns, written as lists
    engine.py       which recogniser sees which text
    numbers/        identifiers that have a form, one kind a file; checks.py has their check digits
    address/        postal addresses, by country
    credentials/    keys and passwords
    names/          names of people: cues, lists, and the language model for what is left
    health.py       conditions, where a text ties them to a person
    data/           word lists, with their sources and licences

Each recogniser has one `find(text) -> list[Span]` over folded text, linear in its length: every quantifier is bounded,
and what separates words is not in a word's class. docs/decisions/0006-recognisers-of-our-own.md says why they are not
Presidio's, and what they miss.
"""
