"""Which of the two languages a text is in, by the commonest words of each."""

import re
from functools import lru_cache

from tasks.stages.data.protect.recognise.data import lists

WORD = re.compile(r"[^\W\d_]+")
READ = 2_000
"""Characters that are looked at."""


def is_german(text: str) -> bool:
    """More German function words and umlauts than English function words at its beginning; else English."""
    words = [word.lower() for word in WORD.findall(text[:READ])]
    german = sum((word in _german()) + (not word.isascii()) for word in words)
    return german > sum(word in _english() for word in words)


@lru_cache(maxsize=1)
def _german() -> frozenset[str]:
    return lists.read("function_words_de")


@lru_cache(maxsize=1)
def _english() -> frozenset[str]:
    return lists.read("function_words_en")
