"""Versions, dates, and the words that say that a text is the edition of one, in English and German.

Patterns are RE2's, so no text can make them slow; in Arrow they are asked of text that is casefolded and evenly spaced.
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
REPLACED = r"\b(?:replaces|supersedes|superseded by|ersetzt|ersetzt durch)\b[^.;)\n]{0,60}"  # to the end of the clause
WORDS = (
    "updated", "last updated", "last modified", "last changed", "last revised", "revised", "as of", "valid from",
    "effective", "effective date", "effective from", "in force since", "in force from", "in effect since",
    "aktualisiert", "zuletzt aktualisiert", "zuletzt geändert", "stand", "neu ab", "gültig ab", "gilt ab",
    "in kraft seit", "in kraft ab", "wirksam ab",
)  # fmt: skip
"""Before a date they say which edition a text is. Owners add theirs in sources.yaml: edition_words."""


def said(words: Iterable[str], what: str) -> str:
    """The pattern of such words and what follows them."""
    plain = {" ".join(word.casefold().split()) for word in words}
    longest_first = sorted(plain, key=lambda word: (-len(word), word))
    either = "|".join(re.escape(word).replace("\\ ", " ") for word in longest_first)
    return rf"(?:\b|^)(?:{either})(?:\.?:| on| am| im| vom)? ?(?:{what})"


DATED = said(WORDS, DATE)
MARKER = f"{VERSION}|{REPLACED}|{DATED}"
