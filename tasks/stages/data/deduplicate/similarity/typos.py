"""Recognition of typos: pairs of spellings of which one is a word and the other is not.

"Account" and "accuont" are a word and a typo of it. "Modified" and "codified" are two words, and "Hansen" and "Hanson"
may be two people. A spelling is a word if a list contains it (English base forms, names, the short words of
lists/short.txt), or if the texts at hand use it often. Any single typo is rare, so if one of two similar spellings is
used far less often than the other, it is the typo.
"""

from functools import lru_cache
from itertools import pairwise

from tasks.stages.data.deduplicate.similarity.lists.words import read_list
from tasks.stages.data.deduplicate.similarity.vocabulary import NO_USE, WordUse, WordUses
from tasks.stages.data.edit_distance import edit_distance
from tasks.stages.data.protect.recognisers.names.known_words import is_ordinary_word
from tasks.stages.data.protect.recognisers.names.lists import (
    family_names,
    frequent_words,
    given_names,
    wordnet_words,
)

MIN_LETTERS = 4
"""Minimum number of letters of a word in which a typo is recognised. Swapped letters are recognised in words of
three letters too."""
MIN_LETTERS_FOR_TWO_TYPOS = 9
"""Minimum number of letters of a word in which two wrong letters still count as a typo."""
MAX_LETTERS = 50
"""Maximum number of letters of a word. Longer strings are not typed words, and the time to compare two words grows
with the square of their length."""
MIN_USES = 3
"""Minimum number of occurrences for a spelling to count as a word."""
MAX_USES_PER_LOWER_CASE_USE = 10
"""Maximum ratio of all uses of a word to its uses in lower case. Above this ratio, the word may be a name."""
ENGLISH_ENDINGS = ("s", "es", "ed", "ing", "ly")
MIN_USE_RATIO = 5
"""Minimum ratio of the uses of a word to the uses of its typo."""


def is_never_typo(word: str) -> bool:
    """Return whether a word is in lists/short.txt, whose words are never typos of each other."""
    return word.lower() in _short_words()


def is_typo(first: str, second: str, uses: WordUses, german: bool) -> bool:
    """Return whether one word is a typo of the other.

    Words are spelled as in `Content.text`, where names keep their capitals. In a German text, English words do not
    count as words, so "Kid" is a typo of "Kind".
    """
    if max(len(first), len(second)) > MAX_LETTERS:
        return False
    right, wrong = sorted(
        (first, second), key=lambda word: (not is_listed(word, german), -_use_of(word, uses).times, word)
    )
    a, b, used = right.lower(), wrong.lower(), _use_of(right, uses).times
    if (
        not (a.isalpha() and b.isalpha())
        or _is_abbreviation(first)
        or _is_abbreviation(second)
        or is_listed(wrong, german)
    ):
        return False
    if is_used_too_often(_use_of(wrong, uses).times, used):
        return False
    if _has_swapped_letters(a, b) or _has_doubled_letter(a, b) or _has_doubled_letter(b, a):
        return len(a) >= MIN_LETTERS or (len(a) == len(b) == MIN_LETTERS - 1)
    if not right.islower() and not wrong.islower() and not _is_ordinary(right, uses) and not _is_noun(wrong, uses):
        return False
    longest = max(len(a), len(b))
    near = edit_distance(a, b) == 1 or (
        a[0] == b[0] and longest >= MIN_LETTERS_FOR_TWO_TYPOS and edit_distance(a, b) == 2
    )
    return (
        near
        and longest >= MIN_LETTERS
        and (is_listed(right, german=False) or used >= MIN_USES or longest > MIN_LETTERS + 2)
    )


def is_used_too_often(times: int, times_of_right_word: int) -> bool:
    """Return whether a spelling is used too often to be a typo of a word, which is used `times_of_right_word` times."""
    return times > max(MIN_USES - 1, times_of_right_word // MIN_USE_RATIO)


@lru_cache(maxsize=65_536)
def is_listed(word: str, german: bool) -> bool:
    """Return whether a list has the word. English words do not count if `german` is true.

    The word is spelled as in `Content.text`.
    """
    low = word.lower()
    names = low in given_names() or (low in family_names() and not word.islower())
    return (
        low in _short_words()
        or low in _german_nouns()
        or low in frequent_words()
        or names
        or (not german and _is_english(low))
    )


def _is_english(low: str) -> bool:
    """Return whether WordNet, which has only base forms, has the word or its stem.

    Stems of fewer than MIN_LETTERS letters do not count, because too many of them are words by chance.
    """
    stems = (low.removesuffix(ending) for ending in ENGLISH_ENDINGS if low.endswith(ending))
    return low in wordnet_words() or any(
        len(stem) >= MIN_LETTERS and {stem, stem + "e"} & wordnet_words() for stem in stems
    )


def _use_of(word: str, uses: WordUses) -> WordUse:
    return uses.get(word.lower(), NO_USE)


def _is_ordinary(word: str, uses: WordUses) -> bool:
    use = _use_of(word, uses)
    return (
        is_never_typo(word)
        or use.lower >= max(MIN_USES, use.times // MAX_USES_PER_LOWER_CASE_USE)
        or _is_noun(word, uses)
    )


def _is_noun(word: str, uses: WordUses) -> bool:
    low = word.lower()
    used = len(low) >= MIN_LETTERS_FOR_TWO_TYPOS and _use_of(word, uses).times >= MIN_USES
    return used or low in _german_nouns() or (is_ordinary_word(low) and not _is_english(low))


def _is_abbreviation(word: str) -> bool:
    return len(word) > 1 and word.isupper()


def _has_swapped_letters(word: str, other: str) -> bool:
    places = [i for i, (a, b) in enumerate(zip(word, other, strict=False)) if a != b]
    return len(places) == 2 and places[1] == places[0] + 1 and edit_distance(word, other) == 1


def _has_doubled_letter(word: str, other: str) -> bool:
    return len(other) == len(word) + 1 and any(
        a == b and other[:i] + other[i + 1 :] == word for i, (a, b) in enumerate(pairwise(other))
    )


@lru_cache(maxsize=1)
def _short_words() -> frozenset[str]:
    return frozenset(word for line in read_list("short") for word in line.split())


@lru_cache(maxsize=1)
def _german_nouns() -> frozenset[str]:
    return frozenset(word for line in read_list("nouns_de") for word in line.split())
