"""Comparison of two similar texts, which say the same if they differ in nothing but typos.

No list can name everything that changes the meaning of a text: a number, a unit, a "not", a name, one ordinary word.
So two texts say the same only if all of their words are equal except for typos (`typos`) and spaces within words. Any
other difference distinguishes them.
"""

from tasks.stages.data.deduplicate.similarity.content import remove_courtesy_phrases
from tasks.stages.data.deduplicate.similarity.typos import is_never_typo, is_typo
from tasks.stages.data.deduplicate.similarity.vocabulary import WordUses
from tasks.stages.data.protect.recognisers.names.language import is_german


def have_same_content(text: str, other: str, uses: WordUses) -> bool:
    """Return whether two texts differ only in typos, in spaces within words and in courtesy phrases.

    The texts are in the form of `Content.text`. `uses` has the number of uses of each word in all texts.
    """
    first, second = sorted((text, other))
    ours, theirs, german = first.split(), second.split(), is_german(first)
    return _equal_except_typos(ours, theirs, uses, german) or _equal_except_typos(
        remove_courtesy_phrases(ours), remove_courtesy_phrases(theirs), uses, german
    )


def _equal_except_typos(ours: list[str], theirs: list[str], uses: WordUses, german: bool) -> bool:
    i = j = 0
    while i < len(ours) and j < len(theirs):
        if ours[i].lower() == theirs[j].lower() or is_typo(ours[i], theirs[j], uses, german):
            i, j = i + 1, j + 1
        elif _is_split_word(ours[i : i + 2], theirs[j]):
            i, j = i + 2, j + 1
        elif _is_split_word(theirs[j : j + 2], ours[i]):
            i, j = i + 1, j + 2
        else:
            return False
    return i == len(ours) and j == len(theirs)


def _is_split_word(two: list[str], word: str) -> bool:
    return word.isalpha() and "".join(two).lower() == word.lower() and not any(map(is_never_typo, two))
