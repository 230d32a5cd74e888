"""Randomness of a string, which distinguishes a key from a word or a file name, and dummy values in documentation."""

import re
from collections import Counter
from math import log2

from tasks.stages.data.protect.recognisers.alternation import alternation

DUMMY_VALUES = alternation(
    r"""x{4,}, \*{3,}, \.{3,}, <[^>]{1,40}>, <?[a-z _-]{1,40}>, \[\w{1,40}\], \$\{{1,2}[ \w.]+\}{1,2},
    \$(?-i:[A-Z_]{3,}), \{\{.{1,40}\}\}, %\w+%,
    your[_-]?\w*, my[_-]?(?:key|token|secret|password), example, changeme, placeholder, dummy, sample, insert, redacted,
    masked, secret, password, passwort, token, none, null, true, false, undefined, hidden, todo, abc123, 123456789\d*"""
)
DUMMY_VALUE = re.compile(rf"(?i){DUMMY_VALUES}$")
DIGIT = re.compile(r"\d")
LETTER = re.compile(r"[A-Za-z]")
CAMEL_CASE = re.compile(r"[a-z][A-Z].*[a-z][A-Z]")
"""Pattern of a text that changes twice from lower to upper case."""


def entropy(text: str) -> float:
    n = len(text)
    return -sum(k / n * log2(k / n) for k in Counter(text).values())


def is_dummy_value(text: str) -> bool:
    """Return whether the text is a dummy value from documentation, such as `YOUR_API_KEY`."""
    return bool(DUMMY_VALUE.match(text)) or len(set(text)) <= 2 or "EXAMPLE" in text


def looks_random(text: str, min_entropy: float = 3.0) -> bool:
    """Return whether the text looks random.

    A random text has letters and digits or changes case twice, has an entropy of at least `min_entropy` bits per
    character, and is not a dummy value.
    """
    mixed = (DIGIT.search(text) and LETTER.search(text)) or CAMEL_CASE.search(text)
    return bool(mixed) and entropy(text) >= min_entropy and not is_dummy_value(text)
