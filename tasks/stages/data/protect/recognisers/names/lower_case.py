"""Names in lower case: "call from sam", "was emily rodriguez there".

A given name counts only if it is not a word of either language, and only before a family name or a word on no list, or
after a word such as "from" or "dear". False positives are measured on BANKING77's 10,003 queries, most of which are in
lower case.
"""

import re
from functools import lru_cache

from tasks.stages.data.protect.recognisers.alternation import alternation
from tasks.stages.data.protect.recognisers.names.known_words import (
    is_everyday_word,
    is_frequent_word,
    is_german_word,
    is_known_word,
)
from tasks.stages.data.protect.recognisers.names.lists import (
    ambiguous_given_names,
    common_family_names,
    frequent_words,
    given_names,
)
from tasks.stages.data.protect.recognisers.span import Span

LOWER_CASE_WORD = "[a-zà-ÿ]{3,20}"
LOWER_CASE_PAIR = re.compile(
    rf"(?<![\w@#./-])({LOWER_CASE_WORD}) ({LOWER_CASE_WORD}(?:-{LOWER_CASE_WORD})?)(?![\w@/-])"
)
CUES_BEFORE_NAMES = alternation(
    """with, from, to, tell, told, ask, asked, call, called, meet, met, by, for, and, mit, von, für, bei, an, und, frag,
    ruf, hallo, hi, hey, hello, dear, thanks, danke, liebe, lieber"""
)
TITLES = alternation("mr, mrs, ms, miss, dr, prof, herr, herrn, frau")
AFTER_TITLE = re.compile(rf"(?<![\w@#]){TITLES}\.? (?:dr\.? )?({LOWER_CASE_WORD})(?: ({LOWER_CASE_WORD}))?(?![\w@/-])")
AFTER_CUE = re.compile(rf"(?i)(?<![\w@#]){CUES_BEFORE_NAMES} ({LOWER_CASE_WORD})(?![\w@/.-])")


@lru_cache(maxsize=1)
def unambiguous_given_names() -> frozenset[str]:
    names = given_names() - ambiguous_given_names() - frequent_words()
    return frozenset(name for name in names if not is_everyday_word(name) and not is_german_word(name))


@lru_cache(maxsize=1)
def unambiguous_family_names() -> frozenset[str]:
    """Return common family names that are not frequent words.

    Rare words of the dictionary WordNet stay, because a family name is recognised only after a given name.
    """
    return common_family_names() - ambiguous_given_names() - frequent_words()


def find_lower_case_names(text: str) -> list[Span]:
    """Find names in lower case.

    Scores: .6 for a family name after a title, .55 for a given and a family name, .5 for a given name after a cue.
    """
    spans = []
    at = 0
    while m := LOWER_CASE_PAIR.search(text, at):
        if m[1] in unambiguous_given_names() and (m[2] in unambiguous_family_names() or _is_on_no_list(m[2])):
            spans.append(Span(*m.span(), "PERSON", 0.55))
        at = m.start(2)
    spans += [
        Span(m.start(1), m.end(2) if m[2] and _is_on_no_list(m[2]) else m.end(1), "PERSON", 0.6)
        for m in AFTER_TITLE.finditer(text)
        if m[1] in common_family_names() or m[1] in unambiguous_given_names() or _is_on_no_list(m[1])
    ]
    return spans + [
        Span(*m.span(1), "PERSON", 0.5) for m in AFTER_CUE.finditer(text) if m[1] in unambiguous_given_names()
    ]


def _is_on_no_list(word: str) -> bool:
    return not (is_everyday_word(word) or is_known_word(word) or is_frequent_word(word) or is_german_word(word))
