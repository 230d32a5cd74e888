"""Search for the owner's own terms: trade secrets, internal names and financial terms, from `terms` of sources.yaml."""

import re
from collections.abc import Mapping, Sequence
from functools import lru_cache

from tasks.sources.protection import Category
from tasks.stages.data.protect.detected_span import DetectedSpan


def compile_terms(terms: Mapping[Category, Sequence[str]]) -> "re.Pattern[str] | None":
    """Return one pattern for all terms, with a named group for each category; None if there are no terms.

    Terms are literal except for `*`, which stands for any part of a word. The pattern does not backtrack into a `*`, so
    every term is fast. With backtracking, `a*a*a*a*b` on a long word of `a` would try every way to place the stars.
    """
    groups = [
        f"(?P<{category}>{'|'.join(map(_term_pattern, sorted(words)))})" for category, words in sorted(terms.items())
    ]
    return _compile_pattern(rf"(?<!\w)(?:{'|'.join(groups)})(?!\w)") if groups else None


def find_terms(text: str, pattern: "re.Pattern[str] | None") -> list[DetectedSpan]:
    if pattern is None:
        return []
    return [DetectedSpan(m.start(), m.end(), m.lastgroup) for m in pattern.finditer(text)]  # type: ignore[arg-type]


def _term_pattern(term: str) -> str:
    return r"\s+".join(map(_word_pattern, term.split()))


def _word_pattern(word: str) -> str:
    """Return the pattern of one word.

    Each `*` skips to the first occurrence of the text after it and does not backtrack (atomic group). No match is lost,
    because only the text after the last `*` has to end with the word, and only that text may match later. Consecutive
    stars count as one.
    """
    first, *others = [re.escape(part) for part in re.sub(r"\*+", "*", word).split("*")]
    if not others:
        return first
    middle = "".join(rf"(?>\w*?{part})" for part in others[:-1])
    return rf"{first}{middle}\w*{others[-1]}" if others[-1] else rf"{first}{middle}\w*+"


@lru_cache(maxsize=16)
def _compile_pattern(pattern: str) -> "re.Pattern[str]":
    return re.compile(pattern, re.IGNORECASE)
