"""The words of a text, as they are compared between the texts of a record: caseless, evenly spaced, plainly spelled."""

import json
import re
import sys
from collections.abc import Iterator
from typing import NamedTuple

from tasks.stages.data import json_text
from tasks.stages.data.protect.recognise.fold import fold
from tasks.stages.data.protect.recognise.span import Span

PLAIN = re.compile(r"(\w+|[^\w\s])")
IN_JSON = re.compile(r"((?:\w|\\u[0-9a-fA-F]{4})+|\\.|[^\w\s\"\\])", re.DOTALL)
"""Words of a JSON text. A line end or a quote is escaped there, a letter may be: `Ren\\u00e9e`."""
STRING = re.compile(r'"((?:[^"\\]|\\.)*+)"(\s*+:)?', re.DOTALL)
"""A string in JSON; its second group is there if it names a field."""
ESCAPE = re.compile(r"\\u([0-9a-fA-F]{4})")
ESCAPED = {r"\"": '"', r"\\": "\\", r"\/": "/"}
"""What other escapes stand for; those that are not here stand for white space."""


class Word(NamedTuple):
    """A word, or a sign that is neither part of one nor white space."""

    plain: str
    """In lower case, as other texts may spell it."""
    start: int
    end: int
    names_field: bool = False
    """Whether it stands in the name of a field of JSON."""


class Text(NamedTuple):
    """A text of a record."""

    text: str
    is_json: bool

    @staticmethod
    def of(text: str) -> "Text":
        return Text(text, text.lstrip()[:1] in ("{", "[") and _is_json(text))

    def words(self) -> Iterator[Word]:
        """Every word, in the offsets of the text."""
        folded = fold(self.text)
        names = _Names(folded.text if self.is_json else "")
        for match in (IN_JSON if self.is_json else PLAIN).finditer(folded.text):
            if plain := self._plain(match[1]):
                start, end = match.span(1)
                names_field = names.hold(start)
                if folded.removed:
                    start, end, *_ = folded.back(Span(start, end, "", 0))
                yield Word(plain, start, end, names_field)

    def fields(self) -> Iterator[tuple[int, int]]:
        """Where the values of JSON stand that are strings. A text that is no JSON has none: it may be a label."""
        yield from ((start, end) for _, start, end in self.named_fields())

    def named_fields(self) -> Iterator[tuple[str, int, int]]:
        """The same, each with the name before it: its own, or that of the list which it is in."""
        name = ""
        for match in STRING.finditer(self.text) if self.is_json else ():
            if match[2]:
                name = self.spelled(*match.span(1))
            elif match[1]:
                yield name, *match.span(1)

    def spelled(self, start: int, end: int) -> str:
        """What stands there, without the escapes of JSON."""
        there = self.text[start:end]
        if not self.is_json or "\\" not in there:
            return there
        try:
            spelled = str(json.loads(f'"{there}"', strict=False))
            spelled.encode()
        except ValueError:  # it reaches beyond one string, or has half of a character
            return there
        return spelled

    def stands_alone(self, start: int, end: int) -> bool:
        """Whether it is the whole text, or the whole of a string in JSON."""
        around = self.text[max(0, start - 1) : start], self.text[end : end + 1]
        return around == (('"', '"') if self.is_json else ("", ""))

    def _plain(self, word: str) -> str:
        if self.is_json and "\\" in word:
            word = ESCAPE.sub(lambda code: chr(int(code[1], 16)), word)
            word = ESCAPED.get(word, "" if word.startswith("\\") else word)
        return word.casefold()


class _Names:
    """The names of the fields of a JSON text, read from its beginning to its end."""

    def __init__(self, text: str) -> None:
        self._left = (match.span(1) for match in STRING.finditer(text) if match[2])
        self._start = self._end = 0

    def hold(self, place: int) -> bool:
        """Whether one of them has the character at this place, which is none before the last one."""
        while self._end <= place:
            self._start, self._end = next(self._left, (sys.maxsize, sys.maxsize))
        return self._start <= place


def of_value(value: str) -> tuple[str, ...]:
    """The words of a value as it is spelled outside of JSON."""
    return tuple(word.plain for word in Text(value, False).words())


def _is_json(text: str) -> bool:
    try:
        json_text.loads(text)
    except ValueError:
        return False
    return True
