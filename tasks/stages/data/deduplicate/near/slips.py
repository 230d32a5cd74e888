"""Slips of typing: a word for which a text has something else that is no word.

"Account" and "accuont" are one word and a slip; "modified" and "codified" are two words, and "Hansen" and "Hanson" may
be two people. What is a word say lists (English base forms, names, the short words of lists/short.txt) and the texts at
hand: hardly anybody makes the same slip twice, so what is used far less often than its neighbour is the slip.
"""

from functools import lru_cache
from itertools import pairwise

from tasks.stages.data.deduplicate.near.lists.words import read
from tasks.stages.data.deduplicate.near.vocabulary import NEVER, Use, Uses
from tasks.stages.data.protect.recognise.names.lists import english, family, given, is_word, words

LEAST = 4
"""Letters of a word in which one may be wrong; two that changed places are seen from three on."""
LONG = 9
"""Letters from which on two slips in a word are believed."""
LONGEST = 50
"""Letters; what is longer nobody typed as a word, and to look for slips in it takes the square of its length."""
USED = 3
"""As often as this a right word is used."""
LOWER = 10
"""Of so many uses one is in lower case where a word is no name."""
ENDINGS = ("s", "es", "ed", "ing", "ly")
RARER = 5
"""So many times more often a right word is used than a slip."""


def is_short(word: str) -> bool:
    """Whether it is one of the words that deny, count, join, …: of these one is never a slip for another."""
    return word.lower() in _short()


def is_slip(first: str, second: str, uses: Uses, german: bool) -> bool:
    """Whether one word is the other, mistyped. Words are as in `Content.text`: a capital may tell a name.

    In a German text English words are none: "Kid" is there a slip for "Kind".
    """
    if max(len(first), len(second)) > LONGEST:
        return False
    right, wrong = sorted((first, second), key=lambda word: (not _known(word, german), -_use(word, uses).times, word))
    a, b, used = right.lower(), wrong.lower(), _use(right, uses).times
    if not (a.isalpha() and b.isalpha()) or _abbreviates(first) or _abbreviates(second) or _known(wrong, german):
        return False
    if _use(wrong, uses).times > max(USED - 1, used // RARER):
        return False  # used too often to be a slip
    if _swapped(a, b) or _doubled(a, b) or _doubled(b, a):
        return len(a) >= LEAST or (len(a) == len(b) == LEAST - 1)
    if not right.islower() and not wrong.islower() and not _is_ordinary(right, uses) and not _is_noun(wrong, uses):
        return False
    longest = max(len(a), len(b))
    near = changes(a, b) == 1 or (a[0] == b[0] and longest >= LONG and changes(a, b) == 2)
    return near and longest >= LEAST and (_known(right, german=False) or used >= USED or longest > LEAST + 2)


def changes(word: str, other: str) -> int:
    """Letters to change, add, leave out or swap with their neighbour (optimal string alignment); 3 for more than 2."""
    if abs(len(word) - len(other)) > 2:
        return 3
    before, last = list[int](), list(range(len(other) + 1))
    for i, a in enumerate(word, start=1):
        row = [i]
        for j, b in enumerate(other, start=1):
            row.append(min(last[j] + 1, row[j - 1] + 1, last[j - 1] + (a != b)))
            if i > 1 and j > 1 and a == other[j - 2] and word[i - 2] == b:
                row[j] = min(row[j], before[j - 2] + 1)
        before, last = last, row
    return min(last[-1], 3)


@lru_cache(maxsize=65_536)
def _known(word: str, german: bool) -> bool:
    """Whether lists have it."""
    low = word.lower()
    names = low in given() or (low in family() and not word.islower())
    return low in _short() or low in _nouns() or low in words() or names or (not german and _is_english(low))


def _is_english(low: str) -> bool:
    """WordNet has base forms; what is left of a shorter word without its ending is a word too often by chance."""
    stems = (low.removesuffix(ending) for ending in ENDINGS if low.endswith(ending))
    return low in english() or any(len(stem) >= LEAST and {stem, stem + "e"} & english() for stem in stems)


def _use(word: str, uses: Uses) -> Use:
    return uses.get(word.lower(), NEVER)


def _is_ordinary(word: str, uses: Uses) -> bool:
    """Whether a word with a capital is no name: it is used without one, too, or it is a noun."""
    use = _use(word, uses)
    return is_short(word) or use.lower >= max(USED, use.times // LOWER) or _is_noun(word, uses)


def _is_noun(word: str, uses: Uses) -> bool:
    """Whether a word with a capital is a noun, as in German, and no name."""
    low = word.lower()
    used = len(low) >= LONG and _use(word, uses).times >= USED
    return used or low in _nouns() or (is_word(low) and not _is_english(low))


def _abbreviates(word: str) -> bool:
    return len(word) > 1 and word.isupper()


def _swapped(word: str, other: str) -> bool:
    """Two letters that changed places."""
    places = [i for i, (a, b) in enumerate(zip(word, other, strict=False)) if a != b]
    return len(places) == 2 and places[1] == places[0] + 1 and changes(word, other) == 1


def _doubled(word: str, other: str) -> bool:
    """Whether `other` has a letter twice that `word` has once."""
    return len(other) == len(word) + 1 and any(
        a == b and other[:i] + other[i + 1 :] == word for i, (a, b) in enumerate(pairwise(other))
    )


@lru_cache(maxsize=1)
def _short() -> frozenset[str]:
    return frozenset(word for line in read("short") for word in line.split())


@lru_cache(maxsize=1)
def _nouns() -> frozenset[str]:
    return frozenset(word for line in read("nouns_de") for word in line.split())
