"""Detected values of a record, and the rules by which the same words elsewhere in the record count as the value.

A value of several words, or a number, is unambiguous. A single word may be a name in one place and a common noun in
another, above all in German: "Herr Koch" and "der koch". It counts as the value if it has the detected spelling or a
capital, or if it is a whole text or a whole field of a JSON target. A value of ordinary words ("Dear Will", but "that
will do") counts in the detected spelling alone; without a capital, it must also be a whole text or field.
"""

from collections.abc import Iterator
from typing import NamedTuple

from tasks.sources.protection import IDENTIFYING, Category
from tasks.stages.data.protect.recognise.names import lists, lower
from tasks.stages.data.protect.tokens import SPELLED, canonical
from tasks.stages.data.protect.words import Text, of_value

LEAST = 4
"""Minimum number of letters and digits in a value that is not `short`: "Li" and "123" often have another meaning.
Given names that are no ordinary word may be shorter."""
LONG = 6
"""Minimum number of letters and digits in a number that is also searched for without separators: "12/26" is not
"1226"."""
POSSESSIVE = ("'s", "\u2019s")
LISTED: tuple[Category, ...] = ("health",)
"""Classes whose values are terms of a list and have the same meaning throughout a record."""


class Value(NamedTuple):
    category: Category
    spelling: str
    words: tuple[str, ...]
    short: bool
    """Whether the value has fewer than LEAST letters and digits."""
    common: bool
    """Whether the value consists of ordinary words. Several words with a given name among them do not count as such."""

    @staticmethod
    def of(category: Category, spelling: str) -> "Value":
        words = of_value(spelling)
        if len(words) == 1 and words[0] in lower.unmistakable():
            return Value(category, spelling, words, short=False, common=False)
        return Value(category, spelling, words, sum(map(str.isalnum, spelling)) < LEAST, _is_common(words))

    @property
    def surely(self) -> "Value":
        """Value as the source's owner declares it: neither `short` nor `common`, whatever its words are."""
        return self._replace(short=False, common=False)

    @property
    def may_name_field(self) -> bool:
        """Whether the value is also searched for in names of JSON fields.

        Most of those names are from a schema, so the value must identify a person and must not be short or ordinary.
        """
        return self.category in IDENTIFYING and not (self.short or self.common)

    @property
    def key(self) -> tuple[str, ...]:
        """Key by which values are equal: the words, or the letters and digits of a number, as in its token."""
        if self.category in SPELLED or self.category == "email":
            return self.words
        return (canonical(self.category, self.spelling),)

    @property
    def ways(self) -> Iterator[tuple[str, ...]]:
        """Sequences of words to search for: those detected, and a long number without its separators."""
        yield self.words
        if len(self.key) == 1 and len(self.key[0]) >= LONG:
            yield self.key

    def is_at(self, text: Text, start: int, end: int) -> bool:
        """Return whether an occurrence of the words, found case-insensitively, counts as the value."""
        if self.category in LISTED or (len(self.words) > 1 and not (self.short or self.common)):
            return True
        there, alone = text.text[start:end], text.stands_alone(start, end)
        same, capital = there == self.spelling, there != there.lower()
        if self.short or self.common:
            return same and (capital or alone)
        return same or capital or alone or there.casefold() in lower.unmistakable()


def is_ordinary(category: Category, piece: str) -> bool:
    """Return whether a piece of a split name consists of ordinary words, so that it can stay readable.

    For example, "playlist" in "nicky jam playlist", if "nicky jam" is the name.
    """
    return category == "name" and all(word in POSSESSIVE or _is_lower_word(word) for word in piece.split())


def is_unexplained(word: str) -> bool:
    """Return whether a word is on no word list, so that it counts as part of the name beside it."""
    return word.isalpha() and not _is_word(word)


def _is_common(words: tuple[str, ...]) -> bool:
    named = len(words) > 1 and any(word in lists.given() for word in words)
    return not named and all(map(_is_word, words))


def _is_word(word: str) -> bool:
    return lists.is_english(word) or lists.is_word(word)


def _is_lower_word(word: str) -> bool:
    names = lists.given(), lists.family(), lists.common_family()
    return word.islower() and lists.is_english(word) and not any(word in known for known in names)
