"""Patterns of versions, of dates, and of the words that state an edition, in English and German.

The patterns are in RE2's syntax, so that no text can make them slow. In Arrow they are applied to casefolded text with
normalised spaces.
"""

import re
from collections.abc import Iterable

MONTH = (
    "(?:january|february|march|april|may|june|july|august|september|october|november|december"
    "|januar|februar|märz|mai|juni|juli|oktober|dezember)"
)
DATE = "|".join(
    (
        r"\b\d{4}-\d{2}(?:-\d{2})?\b",  # 2025-03-01, 2025-03
        r"\b\d{1,2}[./]\d{1,2}[./]\d{2,4}\b",  # 1.3.2025, 3/1/25
        rf"\b(?:\d{{1,2}}\.? )?{MONTH} (?:\d{{1,2}}, )?\d{{4}}\b",  # 1 March 2025, März 2025, March 1, 2025
    )
)
VERSION = r"\b(?:v|ver|version|rev|revision|release|fassung)\.? ?\d+(?:\.\d+)*\b"  # v2, Version 3.1, Fassung 2
REPLACES_CLAUSE = (
    r"\b(?:replaces|supersedes|superseded by|ersetzt|ersetzt durch)\b[^.;)\n]{0,60}"  # to the end of the clause
)
EDITION_WORDS = (
    "updated", "last updated", "last modified", "last changed", "last revised", "revised", "as of", "valid from",
    "effective", "effective date", "effective from", "in force since", "in force from", "in effect since",
    "aktualisiert", "zuletzt aktualisiert", "zuletzt geändert", "stand", "neu ab", "gültig ab", "gilt ab",
    "in kraft seit", "in kraft ab", "wirksam ab",
)  # fmt: skip
"""Words that state an edition if a date follows. Owners can add words with `edition_words` in sources.yaml."""


def edition_pattern(words: Iterable[str], value_pattern: str) -> str:
    plain = {" ".join(word.casefold().split()) for word in words}
    longest_first = sorted(plain, key=lambda word: (-len(word), word))
    either = "|".join(re.escape(word).replace("\\ ", " ") for word in longest_first)
    return rf"(?:\b|^)(?:{either})(?:\.?:| on| am| im| vom)? ?(?:{value_pattern})"


DATED_EDITION = edition_pattern(EDITION_WORDS, DATE)
EDITION_MARKER = f"{VERSION}|{REPLACES_CLAUSE}|{DATED_EDITION}"
