"""Words that are no names: words of English and German, their forms and compounds, and brands."""

import re
from functools import lru_cache

from tasks.stages.data.protect.recognisers.data import lists
from tasks.stages.data.protect.recognisers.names.lists import (
    ambiguous_given_names,
    family_names,
    frequent_words,
    given_names,
    noun_endings,
    wordnet_words,
)

ENDINGS_BY_BASE = {
    "": "s es ed d ing ings er ers or ors ee ees ly est ness able",
    "e": "s ed ing ings er ers or ors ly est",
    "y": "ies ied ier iest ily iness",
}
"""Endings of English forms by the end of the base form that they replace."""
ENDINGS = tuple((ending, base) for base, endings in ENDINGS_BY_BASE.items() for ending in endings.split())
PREFIXES = (
    "sub",
    "pre",
    "post",
    "non",
    "un",
    "re",
    "over",
    "under",
    "co",
    "multi",
    "inter",
    "micro",
    "super",
    "anti",
    "on",
)
LINKS = ("", "s", "es", "n", "en", "er", "e")
"""Letters between the parts of a German compound."""
NAME_TAILS = (
    "linde",
    "hilde",
    "gard",
    "traud",
    "trud",
    "bert",
    "wig",
    "mund",
    "fried",
    "helm",
    "hard",
    "mann",
    "meier",
)
"""Ends of names that look like compounds."""
SHORTEST_PART = 4
SHORTEST_HEAD = 3
CAPITAL_INSIDE = re.compile(r"(?!(?:Mac|Mc|De|Di|La|Le|Fitz|Van|Von)[A-Z])[^\W\d_-]*[a-z][A-Z]|[A-Z]{2}[^\W\d_]*[a-z]")
PARTS = re.compile(r"[^\W\d_]+")


@lru_cache(maxsize=65_536)
def is_known_word(word: str) -> bool:
    """Return whether a word is English or frequent. All parts of a word with hyphens must be.

    What follows an apostrophe is ignored, as in "we'll".
    """
    parts = PARTS.findall(re.split("['’]", word.lower())[0])
    return bool(parts) and all(_is_english(part) or part in frequent_words() for part in parts)


@lru_cache(maxsize=65_536)
def is_ordinary_word(word: str) -> bool:
    """Return whether a word is frequent, or a German word that is on no list of names."""
    low = word.lower()
    if is_frequent_word(word):
        return True
    return low not in family_names() and low not in given_names() and is_german_word(low)


def is_frequent_word(word: str) -> bool:
    """Return whether a word is among the most frequent, or is long and ends like a German noun."""
    low = word.lower()
    return low in frequent_words() or (len(low) > 6 and low.endswith(noun_endings()) and low not in family_names())


@lru_cache(maxsize=65_536)
def is_german_word(low: str) -> bool:
    """Return whether a word in lower case is German, or a compound of German words."""
    words = _german_words()
    low = low.rpartition("-")[2]
    if low in words:
        return True
    if low.endswith(NAME_TAILS):
        return False
    cuts = range(SHORTEST_HEAD, len(low) - SHORTEST_PART + 1)
    return any(low[cut:] in words and _is_german_head(low[:cut]) for cut in cuts)


def is_everyday_word(word: str) -> bool:
    """Return whether an English word is written in lower case, unlike the names of people and places in WordNet."""
    low = re.split("['’]", word.lower())[0]
    return low in _lower_case_words() or low in frequent_words()


def is_brand(word: str) -> bool:
    """Return whether a word is a well-known firm or product, or has capitals as "GitHub" and "OAuth" have them."""
    return re.split("['’]", word.lower())[0] in _brands() or bool(CAPITAL_INSIDE.match(word))


def is_ambiguous(word: str) -> bool:
    """Return whether a name is also an ordinary word or a brand."""
    return word.lower() in ambiguous_given_names() or is_brand(word)


@lru_cache(maxsize=1)
def _brands() -> frozenset[str]:
    return lists.read_words("brands")


def _is_german_head(head: str) -> bool:
    words = _german_words()
    bare = (head.removesuffix(link) for link in LINKS if head.endswith(link))
    return any(len(part) >= SHORTEST_HEAD and part in words for part in bare)


def _is_english(low: str) -> bool:
    if _is_english_form(low):
        return True
    if any(low.startswith(prefix) and _is_english_form(low.removeprefix(prefix)) for prefix in PREFIXES):
        return True
    cuts = range(SHORTEST_PART, len(low) - SHORTEST_PART + 1)
    return any(_is_english_form(low[:cut]) and _is_english_form(low[cut:]) for cut in cuts)


@lru_cache(maxsize=65_536)
def _is_english_form(low: str) -> bool:
    words = _english_words()
    stems = (low.removesuffix(ending) + end for ending, end in ENDINGS if low.endswith(ending))
    return low in words or any(stem in words for stem in stems)


@lru_cache(maxsize=1)
def _english_words() -> frozenset[str]:
    return wordnet_words() | _lower_case_words()


@lru_cache(maxsize=1)
def _lower_case_words() -> frozenset[str]:
    return lists.read_words("english_lower")


@lru_cache(maxsize=1)
def _german_words() -> frozenset[str]:
    return lists.read_words("german")
