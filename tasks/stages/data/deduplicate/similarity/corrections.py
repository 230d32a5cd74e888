"""Pairs of short texts that are equal once the typos of one are corrected.

A typo in a question of 40 characters changes too many of its shingles for a high Jaccard similarity. So words that no
list contains are corrected to the words of the other texts, and a corrected text is looked up. Whether the two words
are a typo and its word is decided later (`typos`).
"""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from itertools import product

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from tasks.stages.data.deduplicate.similarity.content import SPELLING_TABLE
from tasks.stages.data.deduplicate.similarity.typos import MAX_LETTERS, MIN_LETTERS, is_listed, is_used_too_often

MAX_CHARS = 160
"""Maximum number of characters of a text in which typos are corrected. The Jaccard similarity of longer texts stays
above .8 if one or two words are mistyped."""
MAX_CORRECTABLE_WORDS = 2
"""Maximum number of words with a correction in a text that is corrected. Unlisted words without one are not counted.
Texts with more are of a subject with its own words."""
MAX_CORRECTIONS = 8
"""Maximum number of words to which a word is corrected, most frequent first."""


def find_corrected_pairs(forms: pa.Array, compared: np.ndarray) -> np.ndarray:
    """Return the pairs of texts that are equal after a correction, as a sorted int64 array of shape (n, 2).

    Args:
        forms: Distinct normalised texts.
        compared: Indices of the texts to compare.
    """
    lengths = pc.utf8_length(forms).to_numpy(zero_copy_only=False)[compared]
    places = compared[lengths <= MAX_CHARS]
    texts = forms.take(pa.array(places))
    place_by_text = dict(zip(texts.to_pylist(), places.tolist(), strict=True))
    counts = _count_words(texts)
    corrections = _find_corrections([word for word in counts if _may_be_typo(word)], counts)
    pairs = {
        (min(place, other), max(place, other))
        for text, place in place_by_text.items()
        for corrected in _corrected_texts(text.split(" "), corrections)
        if (other := place_by_text.get(corrected)) is not None
    }
    return np.array(sorted(pairs), np.int64).reshape(-1, 2)


def _count_words(texts: pa.Array) -> dict[str, int]:
    words = pc.split_pattern(texts, " ").flatten()
    words = words.filter(pc.match_substring_regex(words, rf"^\p{{L}}{{{MIN_LETTERS - 1},{MAX_LETTERS}}}$"))
    counted = pc.value_counts(words)
    return dict(zip(counted.field("values").to_pylist(), counted.field("counts").to_pylist(), strict=True))


def _may_be_typo(word: str) -> bool:
    return not is_listed(word.translate(SPELLING_TABLE), german=False)


def _find_corrections(unlisted: Sequence[str], counts: Mapping[str, int]) -> dict[str, list[str]]:
    """Return the words at an edit distance of 1, by unlisted word.

    Two such words have a common form with at most one letter left out (SymSpell's symmetric deletion).
    """
    forms = {form for word in unlisted for form in _forms_with_a_letter_less(word)}
    words_by_form: dict[str, list[str]] = defaultdict(list)
    for word in counts:
        for form in _forms_with_a_letter_less(word):
            if form in forms:
                words_by_form[form].append(word)
    found = {}
    for word in unlisted:
        near = {
            other
            for form in _forms_with_a_letter_less(word)
            for other in words_by_form[form]
            if other != word
            and not is_used_too_often(counts[word], counts[other])
            and _are_one_edit_apart(word, other, form)
        }
        if near:
            found[word] = sorted(near, key=lambda other: (-counts[other], other))[:MAX_CORRECTIONS]
    return found


def _are_one_edit_apart(word: str, other: str, common_form: str) -> bool:
    """Return whether two words with a common form are one edit apart. It is faster than computing the distance."""
    if common_form in (word, other):
        return True
    changed = [place for place, (a, b) in enumerate(zip(word, other, strict=True)) if a != b]
    first, last = changed[0], changed[-1]
    return first == last or (last == first + 1 and word[first] + word[last] == other[last] + other[first])


def _forms_with_a_letter_less(word: str) -> Iterator[str]:
    yield word
    yield from (word[:place] + word[place + 1 :] for place in range(len(word)))


def _corrected_texts(words: list[str], corrections: Mapping[str, list[str]]) -> Iterator[str]:
    wrong = [place for place, word in enumerate(words) if word in corrections]
    if not 0 < len(wrong) <= MAX_CORRECTABLE_WORDS:
        return
    for chosen in product(*([words[place], *corrections[words[place]]] for place in wrong)):
        corrected = words.copy()
        for place, word in zip(wrong, chosen, strict=True):
            corrected[place] = word
        if corrected != words:
            yield " ".join(corrected)
