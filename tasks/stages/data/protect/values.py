"""Detected values of a record, and the rules by which the same words elsewhere in the record count as the value.

A value of several words, or a number, is unambiguous. A single word may be a name in one place and a common noun in
another, especially in German: "Herr Koch" and "der koch". It counts as the value if it has the detected spelling or a
capital, or if it is a whole text or a whole field of a JSON target. A value of ordinary words ("Dear Will", but "that
will do") counts only in the detected spelling; without a capital, it must also be a whole text or field.
"""

from collections.abc import Iterator
from typing import NamedTuple

from tasks.sources.protection import IDENTIFYING_CATEGORIES, Category
from tasks.stages.data.protect.recognisers.names import known_words, lists, lower_case
from tasks.stages.data.protect.tokens import WORDWISE_CATEGORIES, canonical_spelling
from tasks.stages.data.protect.words import RecordText, split_words

MIN_CHARACTERS = 4
"""Minimum number of letters and digits in a value that is not `short`. Short values such as "Li" and "123" often
have another meaning. Given names that are not ordinary words may be shorter."""
MIN_UNSEPARATED_NUMBER_LENGTH = 6
"""Minimum number of letters and digits in a number that is also searched for without separators. "12/26" is too
short to be searched for as "1226"."""
POSSESSIVE = ("'s", "\u2019s")
WORD_LIST_CATEGORIES: tuple[Category, ...] = ("health",)
"""Categories whose values are terms of a word list, with the same meaning throughout a record."""


class DetectedValue(NamedTuple):
    category: Category
    spelling: str
    words: tuple[str, ...]
    short: bool
    """Whether the value has fewer than MIN_CHARACTERS letters and digits."""
    common: bool
    """Whether the value consists of ordinary words. Several words do not count as ordinary if one is a given name."""

    @staticmethod
    def from_spelling(category: Category, spelling: str) -> "DetectedValue":
        words = split_words(spelling)
        if len(words) == 1 and words[0] in lower_case.unambiguous_given_names():
            return DetectedValue(category, spelling, words, short=False, common=False)
        return DetectedValue(
            category, spelling, words, sum(map(str.isalnum, spelling)) < MIN_CHARACTERS, _is_common(words)
        )

    @property
    def as_declared(self) -> "DetectedValue":
        """Same value, treated as declared by its owner: neither `short` nor `common`, whatever its words are."""
        return self._replace(short=False, common=False)

    @property
    def is_searched_in_field_names(self) -> bool:
        """Whether to search for the value in names of JSON fields too.

        Most field names come from a schema. So only values that identify a person, and are neither short nor common
        words, are searched for.
        """
        return self.category in IDENTIFYING_CATEGORIES and not (self.short or self.common)

    @property
    def comparison_key(self) -> tuple[str, ...]:
        """Key by which values are compared: the words, or the letters and digits of a number, as in its token."""
        if self.category in WORDWISE_CATEGORIES or self.category == "email":
            return self.words
        return (canonical_spelling(self.category, self.spelling),)

    @property
    def word_sequences(self) -> Iterator[tuple[str, ...]]:
        """Word sequences to search for: the detected one and, for a long number, the number without separators."""
        yield self.words
        if len(self.comparison_key) == 1 and len(self.comparison_key[0]) >= MIN_UNSEPARATED_NUMBER_LENGTH:
            yield self.comparison_key

    def matches_at(self, text: RecordText, start: int, end: int) -> bool:
        """Return whether the text from `start` to `end` counts as the value.

        The words of this text must equal those of the value, except for case.
        """
        if self.category in WORD_LIST_CATEGORIES or (len(self.words) > 1 and not (self.short or self.common)):
            return True
        occurrence, alone = text.decoded_part(start, end), text.stands_alone(start, end)
        same, capital = occurrence == self.spelling, occurrence != occurrence.lower()
        if self.short or self.common:
            return same and (capital or alone)
        return same or capital or alone or occurrence.casefold() in lower_case.unambiguous_given_names()


def is_ordinary_piece(category: Category, piece: str) -> bool:
    """Return whether a piece of a split name consists of ordinary words, so that it can stay readable.

    For example, "playlist" in "nicky jam playlist" can stay readable if "nicky jam" is the name.
    """
    return category == "name" and all(word in POSSESSIVE or _is_lower_word(word) for word in piece.split())


def is_unknown_word(word: str) -> bool:
    """Return whether a word is on no word list and therefore counts as part of an adjacent name."""
    return word.isalpha() and not _is_word(word)


def _is_common(words: tuple[str, ...]) -> bool:
    named = len(words) > 1 and any(word in lists.given_names() for word in words)
    return not named and all(map(_is_word, words))


def _is_word(word: str) -> bool:
    return known_words.is_known_word(word) or known_words.is_ordinary_word(word)


def _is_lower_word(word: str) -> bool:
    names = lists.given_names(), lists.family_names(), lists.common_family_names()
    return word.islower() and known_words.is_known_word(word) and not any(word in known for known in names)
