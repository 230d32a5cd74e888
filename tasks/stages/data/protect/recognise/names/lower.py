"""Names typed without capitals: "call from sam", "was emily rodriguez there".

Only given names that are no word of either language, and only beside a family name or behind a word that a person
follows; BANKING77's 10,003 queries, mostly typed so, are what it must stay silent on.
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
    """Given names that are no ordinary word."""
    return given() - ambiguous() - words() - english()


@lru_cache(maxsize=1)
def surnames() -> frozenset[str]:
    """Common family names that are no ordinary word of our short list; WordNet's are let in beside a given name."""
    return common_family() - ambiguous() - words()


def find(text: str) -> list[Span]:
    """.55 a pair, .5 a given name behind its cue."""
    spans = []
    at = 0
    while m := PAIR.search(text, at):
        if m[1] in unmistakable() and m[2] in surnames():
            spans.append(Span(*m.span(), "PERSON", 0.55))
        at = m.start(2)
    return spans + [Span(*m.span(1), "PERSON", 0.5) for m in BEHIND.finditer(text) if m[1] in unmistakable()]
