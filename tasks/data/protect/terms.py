"""The owner's own words: trade secrets, internal names, financial terms, listed in sources.yaml: terms."""

import re
from collections.abc import Mapping, Sequence
from functools import lru_cache

from tasks.data.protect.found import Found
from tasks.govern.protection import Category


def finder(terms: Mapping[Category, Sequence[str]]) -> "re.Pattern[str] | None":
    """One pattern for all terms, a group for each class; None where there are none.

    Terms are literal but for `*`, so that no list of words can make a pattern that takes for ever.
    """
    groups = [f"(?P<{category}>{'|'.join(map(_literal, sorted(words)))})" for category, words in sorted(terms.items())]
    return _compiled(rf"(?<!\w)(?:{'|'.join(groups)})(?!\w)") if groups else None


def find(text: str, pattern: "re.Pattern[str] | None") -> list[Found]:
    if pattern is None:
        return []
    return [Found(m.start(), m.end(), m.lastgroup) for m in pattern.finditer(text)]  # type: ignore[arg-type]


def _literal(term: str) -> str:
    """Words may be apart by any white space; `*` stands for the rest of a word."""
    return r"\s+".join(re.escape(word).replace(r"\*", r"\w*") for word in term.split())


@lru_cache(maxsize=16)
def _compiled(pattern: str) -> "re.Pattern[str]":
    return re.compile(pattern, re.IGNORECASE)
