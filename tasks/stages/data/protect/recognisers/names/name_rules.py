"""Rules by which a capitalised word counts as a name: it is on a list, or next to words that are typical of people."""

import re

from tasks.stages.data.protect.recognisers.alternation import alternation
from tasks.stages.data.protect.recognisers.names.capitalised_words import BEFORE_SENTENCE_START, CapitalisedWord
from tasks.stages.data.protect.recognisers.names.known_words import (
    is_ambiguous,
    is_brand,
    is_everyday_word,
    is_frequent_word,
    is_german_word,
    is_known_word,
    is_ordinary_word,
)
from tasks.stages.data.protect.recognisers.names.lists import (
    common_family_names,
    family_names,
    given_names,
    never_name_words,
    noun_endings,
)

PERSON_VERBS = alternation(
    """called, calls, wrote, says, said, asked, asks, told, tells, wants, wanted, needs, needed, sent, paid, lives,
    works, worked, died, moved, has, had, is, was, will, would, can, could, does, did, never, already, just,
    hat, hatte, haben, ist, war, wird, will, möchte, kann, konnte, bittet, bat, meldet, meldete, ruft, rief, schreibt,
    schrieb, sagt, sagte, fragt, fragte, braucht, wohnt, kommt, kam, arbeitet, schickt, schickte, reklamiert,
    beschwert"""
)
PERSON_VERB = re.compile(rf"(?:'s)?(?: (?:und|and) [^\W\d_]+(?: [^\W\d_]+)?)? {PERSON_VERBS}\b")
"""Pattern of the text after a name, up to a verb whose subject is usually a person. It also matches after names of
companies, which is accepted."""
WORDS_BEFORE_NAMES = alternation(
    r"""to, from, by, with, tell, told, ask, asked, call, called, according to, laut, von, mit, an, bei, für, durch,
    und, and, oder, or, gegen, nur, techniker(?:in)?, kolleg\w{1,2}, via, contact, cc"""
)
PREPOSITION_BEFORE = re.compile(rf"(?i)\b{WORDS_BEFORE_NAMES}\s$")
STRONG_CUE_BEFORE = re.compile(
    r"(?i)\b(?:according to|laut|techniker(?:in)?|kolleg(?:e|en|in)|call|called|asked|told|tell|ask)\s$"
)
"""Pattern of words after which even a family name that is also an ordinary word counts as a name."""
DETERMINERS = alternation(
    r"""the, a, an, each, every, this, that, your, my, our, in, at, into, der, die, das, den, dem, des, ein, eine,
    einen, einem, einer, im, in, ins, nach, aus, mein\w*, ihr\w*, unser\w*, kein\w*, zum, zur, vom, am, beim"""
)
PLACE_WORDS = frozenset("san santa santo los las saint st são sankt bad fort port mount lake".split())  # noqa: SIM905
"""Words with which a name of a person becomes that of a place."""
CAPITALISED_BEFORE = re.compile(r"\b([A-Z][a-z]{2,29}) $")
CAPITALISED_AFTER = re.compile(r" ([A-Z][a-z]{2,29})\b")
LOWER_CASE_PART = re.compile(r"-[^\W\d_A-Z]")
"""Pattern of a part in lower case after a hyphen, as in "AI-supported"."""
DETERMINER_BEFORE = re.compile(rf"(?i)\b{DETERMINERS}\s$")


def is_given_name(part: list[CapitalisedWord], i: int, text: str, german: bool) -> bool:
    """Return whether the word at `i` is a given name.

    A given name that is also an ordinary word must be followed by a family name or, in English, be inside a
    sentence and not follow a word such as "the" or "in".
    """
    piece = part[i]
    if piece.lower_case not in given_names():
        return "-" in piece.lower_case and all(name in given_names() for name in piece.lower_case.split("-"))
    following = part[i + 1] if i + 1 < len(part) else None
    if not is_ambiguous(piece.word):
        return len(piece.lower_case) > 2 or (following is not None and is_family_name(following))
    if following is not None and is_family_name(following) and following.lower_case not in never_name_words():
        return not (piece.lower_case in never_name_words() and is_ambiguous(following.word))
    inside = not german and not piece.opens_sentence and not piece.word.isupper() and not _is_beside_word(text, piece)
    inside = inside and not _follows_pattern(DETERMINER_BEFORE, text, piece, 12)
    return (
        inside and not is_brand(piece.word) and piece.lower_case not in never_name_words() and len(piece.lower_case) > 2
    )


def _is_beside_word(text: str, piece: CapitalisedWord) -> bool:
    """Return whether a capitalised word that is no name stands next to another one, as in "License Grant"."""
    before = CAPITALISED_BEFORE.search(text, max(0, piece.start - 30), piece.start)
    after = CAPITALISED_AFTER.match(text, piece.end)
    opens = before and BEFORE_SENTENCE_START.search(text, max(0, before.start() - 8), before.start())
    words = [m[1] for m in (before if not opens else None, after) if m]
    return any(is_known_word(word) and word.lower() not in family_names() for word in words)


def is_family_name(piece: CapitalisedWord) -> bool:
    return piece.lower_case in family_names() or (
        "-" in piece.lower_case and any(name in family_names() for name in piece.lower_case.split("-"))
    )


def is_name_pair(first: CapitalisedWord, second: CapitalisedWord, text: str, german: bool) -> bool:
    """Return whether two words that are not ordinary words are a name, such as "Xiomara Smith".

    The second word must be a listed family name. In German, it is also enough that the pair is next to a verb or
    preposition that usually goes with people.
    """
    if first.word.isupper() or second.word.isupper() or is_brand(first.word) or is_brand(second.word):
        return False
    if is_ordinary_word(first.word) or is_frequent_word(second.word):
        return False
    if german and any(is_everyday_word(piece.word) and not is_family_name(piece) for piece in (first, second)):
        return False
    if is_family_name(second):
        return german or not is_known_word(first.word) or first.lower_case in given_names()
    return german and (_precedes_person_verb(text, second) or _follows_pattern(PREPOSITION_BEFORE, text, first, 14))


def is_single_family_name(piece: CapitalisedWord, text: str, german: bool) -> bool:
    """Return whether a single capitalised word is a family name.

    A common family name needs little context. A rare one needs a verb or preposition next to it that is typical of
    people.
    """
    if (
        piece.lower_case in common_family_names()
        and not piece.word.isupper()
        and _follows_pattern(STRONG_CUE_BEFORE, text, piece, 20)
    ):
        return True
    if (
        piece.word.isupper()
        or is_ordinary_word(piece.word)
        or len(piece.lower_case) < 3
        or _follows_pattern(DETERMINER_BEFORE, text, piece, 12)
    ):
        return False
    acts = _precedes_person_verb(text, piece)
    person = acts or _follows_pattern(PREPOSITION_BEFORE, text, piece, 14)
    if piece.lower_case in common_family_names() and not is_ambiguous(piece.word):
        return acts or (not piece.opens_sentence and (not german or person))
    if not person or piece.lower_case not in family_names():
        return False
    if german:
        low = piece.lower_case
        return not is_ambiguous(piece.word) and not low.endswith(noun_endings()) and not is_german_word(low)
    return not is_known_word(piece.word) and not is_brand(piece.word) and not piece.opens_sentence


def is_unlisted_name(piece: CapitalisedWord, text: str, german: bool) -> bool:
    """Return whether a capitalised word inside a sentence is on no word list and may therefore be a name.

    This applies only to English: German capitalises every noun, and there is no free dictionary of German nouns.
    """
    word = piece.word
    if (
        german
        or word.isupper()
        or len(word) < 3
        or piece.lower_case in PLACE_WORDS
        or is_known_word(word)
        or is_brand(word)
        or is_ordinary_word(word)
    ):
        return False
    if any(c.isupper() for c in word[2:]) or LOWER_CASE_PART.search(word):
        return False
    return not piece.opens_sentence or _precedes_person_verb(text, piece)


def _precedes_person_verb(text: str, piece: CapitalisedWord) -> bool:
    return bool(PERSON_VERB.match(text, piece.end))


def _follows_pattern(form: re.Pattern[str], text: str, piece: CapitalisedWord, within: int) -> bool:
    return bool(form.search(text, max(0, piece.start - within), piece.start))
