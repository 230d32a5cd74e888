"""Names in lower case: "call from sam", "was emily rodriguez there".

A given name counts only if it is no word of either language, and only before a family name or after a word such as
"from" or "dear". False positives are measured on BANKING77's 10,003 queries, most of which are in lower case.
"""

import re
from functools import lru_cache

from tasks.stages.data.protect.recognise.names.lists import ambiguous, common_family, english, given, words
from tasks.stages.data.protect.recognise.span import Span
from tasks.stages.data.protect.recognise.wording import either

LOW = "[a-zà-ÿ]{3,20}"
PAIR = re.compile(rf"(?<![\w@#./-])({LOW}) ({LOW}(?:-{LOW})?)(?![\w@/-])")
CUES = either(
    """with, from, to, tell, told, ask, asked, call, called, meet, met, by, for, and, mit, von, für, bei, an, und, frag,
    ruf, hallo, hi, hey, hello, dear, thanks, danke, liebe, lieber"""
)
BEHIND = re.compile(rf"(?i)(?<![\w@#]){CUES} ({LOW})(?![\w@/.-])")


@lru_cache(maxsize=1)
def unmistakable() -> frozenset[str]:
    """Return given names that are no word of either language."""
    return given() - ambiguous() - words() - english()


@lru_cache(maxsize=1)
def surnames() -> frozenset[str]:
    """Return common family names that are no frequent word. Words of WordNet are accepted beside a given name."""
    return common_family() - ambiguous() - words()


def find(text: str) -> list[Span]:
    """Find names in lower case. Scores: .55 for a given and a family name, .5 for a given name after a cue."""
    spans = []
    at = 0
    while m := PAIR.search(text, at):
        if m[1] in unmistakable() and m[2] in surnames():
            spans.append(Span(*m.span(), "PERSON", 0.55))
        at = m.start(2)
    return spans + [Span(*m.span(1), "PERSON", 0.5) for m in BEHIND.finditer(text) if m[1] in unmistakable()]
