"""Where else in a record words are the value that was found, and where they are only words.

Many words of a value, or a number, say enough. One word may be a name in one place and something else in another, in
German above all: "Herr Koch" and "der koch". So it is taken up where it is written as it was found or as names are, or
stands alone, as a whole field of a JSON target. What is made of ordinary words ("Dear Will", "that will do") is taken
up in the very spelling that was found, and if that has no capital where it stands alone.
"""

from collections.abc import Iterator
from typing import NamedTuple

from tasks.sources.protection import IDENTIFYING, Category
from tasks.stages.data.protect.recognise.names import lists, lower
from tasks.stages.data.protect.tokens import SPELLED, canonical
from tasks.stages.data.protect.words import Text, of_value

LEAST = 4
"""Letters and digits of a value that is looked for wherever it stands, unless it is a given name and no word; "Li" and
"123" are too often something else."""
LONG = 6
"""Letters and digits of a number that is looked for without spaces and signs too: "12/26" is not "1226"."""
POSSESSIVE = ("'s", "\u2019s")
LISTED: tuple[Category, ...] = ("health",)
"""Classes whose values are terms of a list, which mean the same in all of a record."""


class Value(NamedTuple):
    """What was found in a text of a record."""

    category: Category
    spelling: str
    words: tuple[str, ...]
    short: bool
    """Whether it has too few letters and digits (LEAST)."""
    common: bool
    """Whether it is made of ordinary words, and of no given name with others beside it."""

    @staticmethod
    def of(category: Category, spelling: str) -> "Value":
        words = of_value(spelling)
        if len(words) == 1 and words[0] in lower.unmistakable():
            return Value(category, spelling, words, short=False, common=False)
        return Value(category, spelling, words, sum(map(str.isalnum, spelling)) < LEAST, _is_common(words))

    @property
    def surely(self) -> "Value":
        """The same, said by who knows it: its words are the value, though they may be short or ordinary."""
        return self._replace(short=False, common=False)

    @property
    def may_name_field(self) -> bool:
        """Whether it is also looked for in the names of JSON's fields, which most targets have of a scheme: of a
        person, and of no ordinary words."""
        return self.category in IDENTIFYING and not (self.short or self.common)

    @property
    def key(self) -> tuple[str, ...]:
        """What makes two values the same: the words; of a number its letters and digits, as for its token."""
        if self.category in SPELLED or self.category == "email":
            return self.words
        return (canonical(self.category, self.spelling),)

    @property
    def ways(self) -> Iterator[tuple[str, ...]]:
        """The words by which to look for it: as it was found, and a long number without what parts its digits."""
        yield self.words
        if len(self.key) == 1 and len(self.key[0]) >= LONG:
            yield self.key

    def is_at(self, text: Text, start: int, end: int) -> bool:
        """Whether its words there, in whatever case, are the value."""
        if self.category in LISTED or (len(self.words) > 1 and not (self.short or self.common)):
            return True
        there, alone = text.text[start:end], text.stands_alone(start, end)
        same, capital = there == self.spelling, there != there.lower()
        if self.short or self.common:
            return same and (capital or alone)
        return same or capital or alone or there.casefold() in lower.unmistakable()


def is_ordinary(category: Category, piece: str) -> bool:
    """Whether what is left of a find, the rest of which is a value of its own, is words and no part of a name:
    "playlist" of "nicky jam playlist"."""
    return category == "name" and all(word in POSSESSIVE or _is_lower_word(word) for word in piece.split())


def is_unexplained(word: str) -> bool:
    """Whether no list of words has a word, so that beside a name it is one too."""
    return word.isalpha() and not _is_word(word)


def _is_common(words: tuple[str, ...]) -> bool:
    named = len(words) > 1 and any(word in lists.given() for word in words)
    return not named and all(map(_is_word, words))


def _is_word(word: str) -> bool:
    return lists.is_english(word) or lists.is_word(word)


def _is_lower_word(word: str) -> bool:
    names = lists.given(), lists.family(), lists.common_family()
    return word.islower() and lists.is_english(word) and not any(word in known for known in names)
