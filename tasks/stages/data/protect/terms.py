"""The owner's own words: trade secrets, internal names, financial terms, listed in sources.yaml: terms."""

import re
from collections.abc import Mapping, Sequence
from functools import lru_cache

from tasks.sources.protection import Category
from tasks.stages.data.protect.stretch import Stretch


def finder(terms: Mapping[Category, Sequence[str]]) -> "re.Pattern[str] | None":
    """One pattern for all terms, a group for each class; None where there are none.

    Terms are literal but for `*`, and what a `*` has taken is not tried again, so that no term can make a pattern that
    takes for ever: `a*a*a*a*b` on a long word of `a` would be tried in as many ways as there are places for the stars.
    """
    groups = [f"(?P<{category}>{'|'.join(map(_literal, sorted(words)))})" for category, words in sorted(terms.items())]
    return _compiled(rf"(?<!\w)(?:{'|'.join(groups)})(?!\w)") if groups else None


def find(text: str, pattern: "re.Pattern[str] | None") -> list[Stretch]:
    if pattern is None:
        return []
    return [Stretch(m.start(), m.end(), m.lastgroup) for m in pattern.finditer(text)]  # type: ignore[arg-type]


def _literal(term: str) -> str:
    """Words may be apart by any white space; `*` stands for any part of a word."""
    return r"\s+".join(map(_word, term.split()))


def _word(word: str) -> str:
    """What follows a `*` is taken where it comes first, which loses nothing; only the end has to be looked for.

    Of many stars in a row one is enough.
    """
    first, *others = [re.escape(part) for part in re.sub(r"\*+", "*", word).split("*")]
    if not others:
        return first
    middle = "".join(rf"(?>\w*?{part})" for part in others[:-1])
    return rf"{first}{middle}\w*{others[-1]}" if others[-1] else rf"{first}{middle}\w*+"


@lru_cache(maxsize=16)
def _compiled(pattern: str) -> "re.Pattern[str]":
    return re.compile(pattern, re.IGNORECASE)
