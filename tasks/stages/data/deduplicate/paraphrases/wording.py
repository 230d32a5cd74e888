"""Differences of wording with which two prompts ask different things, however alike their meaning is to the model.

A sentence model sees hardly any difference between "season 2" and "season 3", "who" and "when", or "can" and "cannot".
The rules are for English and German.
"""

import re
from collections.abc import Mapping
from types import MappingProxyType
from typing import NamedTuple

NUMBER = re.compile(r"\d+(?:[.,:]\d+)*")
DATE_WORD = re.compile(
    r"\b(?:jan(?:uary|uar)?|feb(?:ruary|ruar)?|march|märz|april|may|mai|june?|juni|july?|juli|august|september"
    r"|o[ck]tober|november|de[cz]ember|mondays?|tuesdays?|wednesdays?|thursdays?|fridays?|saturdays?|sundays?"
    r"|montags?|dienstags?|mittwochs?|donnerstags?|freitags?|samstags?|sonntags?)\b"
)
WORD = re.compile(r"\w+")
MIN_SHARED_WORDS = 0.6
"""Minimum share of two texts' words that are in both, for a negation in one of them to count. Complaints deny without
asking anything else: "I can't find my card" and "where is my card"."""
NEGATION = re.compile(
    r"n['’]t\b|\b(?:not|no|never|none|nobody|nothing|without|cannot|cant|dont|doesnt|didnt|wont|isnt"
    r"|nicht|nie|niemals|kein|keine[mnrs]?|ohne|niemand|nichts)\b"
)
QUESTION_WORDS: Mapping[str, str] = MappingProxyType(
    {
        "person": r"who|whom|whose|wer|wem|wen|wessen",
        "place": r"where|wo|wohin|woher",
        "time": r"when|wann|how long|wie lange",
        "reason": r"why|warum|weshalb|wieso",
        "number": r"how (?:many|much)|wie ?viele?",
        "size": r"how (?:old|far|tall|big)|wie (?:alt|weit|hoch|groß)",
    }
)
"""Patterns of question words, by what they ask for. What, which and how ask for anything."""
_QUESTIONS = re.compile("|".join(rf"\b(?P<{name}>{words})\b" for name, words in QUESTION_WORDS.items()))


class Wording(NamedTuple):
    text: str
    words: frozenset[str]
    figures: frozenset[str]
    """Numbers, months and days of the week."""
    is_negated: bool
    asked: frozenset[str]
    """Keys of QUESTION_WORDS of the text's question words."""


def read_wording(text: str) -> Wording:
    """Return what the wording of a text says beyond its meaning as a whole."""
    plain = text.casefold()
    return Wording(
        plain,
        frozenset(WORD.findall(plain)),
        frozenset(NUMBER.findall(plain) + DATE_WORD.findall(plain)),
        bool(NEGATION.search(plain)),
        frozenset(str(match.lastgroup) for match in _QUESTIONS.finditer(plain)),
    )


def may_ask_the_same(one: Wording, other: Wording) -> bool:
    """Return whether two texts are different, and nothing in their wording says that they ask different things.

    Different question words tell two texts apart only if both have some: "when does it open" may be "opening hours".
    """
    if one.text == other.text or one.figures != other.figures:  # equal prompts are judged by other rules
        return False
    shared = len(one.words & other.words) / max(1, len(one.words | other.words))
    if one.is_negated != other.is_negated and shared >= MIN_SHARED_WORDS:
        return False
    return one.asked == other.asked or not (one.asked and other.asked)
