"""Choice between English and German for a text, based on the most common words of each language."""

import re
from functools import lru_cache

from tasks.stages.data.protect.recognisers.data import lists

WORD = re.compile(r"[^\W\d_]+")
LANGUAGE_SAMPLE_CHARACTERS = 2_000
"""Number of characters at the beginning of a text from which its language is determined."""


def is_german(text: str) -> bool:
    """Return whether the text begins with more German function words and umlauts than English function words."""
    words = [word.lower() for word in WORD.findall(text[:LANGUAGE_SAMPLE_CHARACTERS])]
    german = sum((word in _german_function_words()) + (not word.isascii()) for word in words)
    return german > sum(word in _english_function_words() for word in words)


@lru_cache(maxsize=1)
def _german_function_words() -> frozenset[str]:
    return lists.read_words("function_words_de")


@lru_cache(maxsize=1)
def _english_function_words() -> frozenset[str]:
    return lists.read_words("function_words_en")
