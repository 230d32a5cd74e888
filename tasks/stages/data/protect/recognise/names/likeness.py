"""Rules by which a capitalised word counts as a name: it is on a list, or stands beside words used of people."""

import re

from tasks.stages.data.protect.recognise.names.lists import (
    ambiguous,
    common_family,
    family,
    given,
    is_english,
    is_word,
    not_names,
    noun_endings,
)
from tasks.stages.data.protect.recognise.names.tokens import Piece
from tasks.stages.data.protect.recognise.wording import either

VERBS = either(
    """called, calls, wrote, says, said, asked, asks, told, tells, wants, wanted, needs, needed, sent, paid, lives,
    works, worked, died, moved, has, had, is, was, will, would, can, could, does, did, never, already, just,
    hat, hatte, haben, ist, war, wird, will, möchte, kann, konnte, bittet, bat, meldet, meldete, ruft, rief, schreibt,
    schrieb, sagt, sagte, fragt, fragte, braucht, wohnt, kommt, kam, arbeitet, schickt, schickte, reklamiert,
    beschwert"""
)
ACTS = re.compile(rf"(?:'s)?(?: (?:und|and) [^\W\d_]+(?: [^\W\d_]+)?)? {VERBS}\b")
"""Verb used of people, after a name. Companies match too; the rules accept that error."""
BEFORE_NAMES = either(
    r"""to, from, by, with, tell, told, ask, asked, call, called, according to, laut, von, mit, an, bei, für, durch,
    und, and, oder, or, gegen, nur, techniker(?:in)?, kolleg\w{1,2}, via, contact, cc"""
)
BEFORE = re.compile(rf"(?i)\b{BEFORE_NAMES}\s$")
SAYS = re.compile(r"(?i)\b(?:according to|laut|techniker(?:in)?|kolleg(?:e|en|in)|call|called|asked|told|tell|ask)\s$")
"""Words after which even a family name that is also an ordinary word counts as a name."""
DETERMINERS = either(
    r"""the, a, an, this, that, your, my, our, in, at, into, der, die, das, den, dem, des, ein, eine, einen, einem,
    einer, im, in, ins, nach, aus, mein\w*, ihr\w*, unser\w*, kein\w*, zum, zur, vom, am, beim"""
)
DETERMINED = re.compile(rf"(?i)\b{DETERMINERS}\s$")


def is_given(part: list[Piece], i: int, german: bool) -> bool:
    """Return whether the word at `i` is a given name.

    A given name that is also an ordinary word needs a family name after it or, in English, a place inside the sentence.
    """
    piece = part[i]
    if piece.low not in given():
        return "-" in piece.low and all(name in given() for name in piece.low.split("-"))
    following = part[i + 1] if i + 1 < len(part) else None
    if piece.low not in ambiguous():
        return len(piece.low) > 2 or (following is not None and is_family(following))
    if following is not None and is_family(following) and following.low not in not_names():
        return True
    inside = not german and not piece.opens and not piece.word.isupper()
    return inside and piece.low not in not_names() and len(piece.low) > 2


def is_family(piece: Piece) -> bool:
    """Return whether the word, or one of its parts between hyphens, is a listed family name."""
    return piece.low in family() or ("-" in piece.low and any(name in family() for name in piece.low.split("-")))


def is_pair(first: Piece, second: Piece, text: str, german: bool) -> bool:
    """Return whether two words, neither of them ordinary, are a name, such as "Xiomara Smith".

    The second is a listed family name or, in German, a word used of people stands beside the pair.
    """
    if is_word(first.word) or is_word(second.word) or first.word.isupper() or second.word.isupper():
        return False
    if is_family(second):
        return german or not is_english(first.word) or first.low in given()
    return german and (_acts(text, second) or _follows(BEFORE, text, first, 14))


def is_alone(piece: Piece, text: str, german: bool) -> bool:
    """Return whether a single capitalised word is a family name.

    A common family name needs little context; a rarer one needs a verb or preposition used of people beside it.
    """
    if piece.low in common_family() and not piece.word.isupper() and _follows(SAYS, text, piece, 20):
        return True
    if piece.word.isupper() or is_word(piece.word) or len(piece.low) < 3 or _follows(DETERMINED, text, piece, 12):
        return False
    acts = _acts(text, piece)
    person = acts or _follows(BEFORE, text, piece, 14)
    if piece.low in common_family() and piece.low not in ambiguous():
        return acts or (not piece.opens and (not german or person))
    if not person or piece.low not in family():
        return False
    if german:
        return piece.low not in ambiguous() and not piece.low.endswith(noun_endings())
    return not is_english(piece.word) and not piece.opens


def is_guess(piece: Piece, text: str, german: bool) -> bool:
    """Return whether a capitalised word inside a sentence is on no word list, so that it may be a name.

    English only: German capitalises every noun, and there is no free dictionary of them.
    """
    word = piece.word
    if german or word.isupper() or len(word) < 3 or is_english(word) or any(c.isupper() for c in word[2:]):
        return False
    return not piece.opens or _acts(text, piece)


def _acts(text: str, piece: Piece) -> bool:
    return bool(ACTS.match(text, piece.end))


def _follows(form: re.Pattern[str], text: str, piece: Piece, within: int) -> bool:
    return bool(form.search(text, max(0, piece.start - within), piece.start))
