"""Recognisers of personal data and credentials in short English and German texts, to be read in this order.

    detector.py     the detector of stage `ingest`: all recognisers, with the categories of sources.yaml
    span.py         spans that recognisers return, and the choice between overlapping ones
    fold.py         normalisation of characters before matching, with conversion of offsets back to the original text
    windows.py      division of long texts into overlapping windows
    alternation.py  alternatives of a pattern, written as a comma-separated list
    engine.py       choice of the recognisers for each text, within time limits
    numbers/        identifiers with a fixed format, one kind per file; check_digits.py verifies check digits
    address/        postal addresses, by country
    credentials/    keys and passwords
    names/          names of people: cues, name lists, and a language model for the rest
    health.py       health conditions that a text attributes to a person
    data/           word lists, with their sources and licences

Each recogniser is a function that returns the spans of a folded text (`span.Recogniser`). It takes linear time, because
every quantifier is bounded and no separator of words is in the character class of a word. The function's docstring
gives the scores of its spans, from 0 to 1. docs/decisions/0006-recognisers-of-our-own.md explains why Hallmark does not
use Presidio's recognisers, and what its own recognisers miss.
"""
