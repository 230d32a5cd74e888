"""Words of a text in the normal form in which the texts of a record are compared: folded, casefolded, unescaped."""

import json
import re
import sys
from collections.abc import Iterator
from typing import NamedTuple

from tasks.stages.data import json_text
from tasks.stages.data.protect.recognisers.fold import fold
from tasks.stages.data.protect.recognisers.span import Span

PLAIN_WORD = re.compile(r"(\w+|[^\w\s])")
JSON_WORD = re.compile(r"((?:\w|\\u[0-9a-fA-F]{4})+|\\.|[^\w\s\"\\])", re.DOTALL)
"""Word of a JSON text, in which line ends and quotes are escaped and letters may be: `Ren\\u00e9e`."""
JSON_STRING = re.compile(r'"((?:[^"\\]|\\.)*+)"(\s*+:)?', re.DOTALL)
"""String in JSON; the second group matches if the string is the name of a field."""
ESCAPE = re.compile(r"\\u([0-9a-fA-F]{4})")
ESCAPED = {r"\"": '"', r"\\": "\\", r"\/": "/"}
"""Characters that the other escapes stand for. Escapes that are not listed stand for white space."""


class Word(NamedTuple):
    """Word of a text, or a single sign that is neither part of a word nor white space."""

    plain: str
    """Normal form: folded, unescaped and casefolded."""
    start: int
    end: int
    names_field: bool = False
    """Whether the word is in the name of a JSON field."""


class Text(NamedTuple):
    text: str
    is_json: bool

    @staticmethod
    def parse(text: str) -> "Text":
        return Text(text, text.lstrip()[:1] in ("{", "[") and _is_json(text))

    def words(self) -> Iterator[Word]:
        """Yield the words of the text, with offsets into the original text."""
        folded = fold(self.text)
        names = _FieldNames(folded.text if self.is_json else "")
        for match in (JSON_WORD if self.is_json else PLAIN_WORD).finditer(folded.text):
            if plain := self._plain(match[1]):
                start, end = match.span(1)
                names_field = names.contain(start)
                if folded.removed_offsets:
                    start, end, *_ = folded.to_original(Span(start, end, "", 0))
                yield Word(plain, start, end, names_field)

    def field_spans(self) -> Iterator[tuple[int, int]]:
        """Yield start and end of each JSON value that is a non-empty string.

        A text that is no JSON has none, since it may be a label.
        """
        yield from ((start, end) for _, start, end in self.named_field_spans())

    def named_field_spans(self) -> Iterator[tuple[str, int, int]]:
        """Yield name, start and end of each JSON value that is a non-empty string.

        The name is the last field name before the value, so values in a list have the name of the list.
        """
        name = ""
        for match in JSON_STRING.finditer(self.text) if self.is_json else ():
            if match[2]:
                name = self.unescaped(*match.span(1))
            elif match[1]:
                yield name, *match.span(1)

    def unescaped(self, start: int, end: int) -> str:
        """Return the characters from `start` to `end`, with JSON escapes decoded."""
        there = self.text[start:end]
        if not self.is_json or "\\" not in there:
            return there
        try:
            spelled = str(json.loads(f'"{there}"', strict=False))
            spelled.encode()
        except ValueError:  # the range goes beyond one string, or has a lone surrogate
            return there
        return spelled

    def stands_alone(self, start: int, end: int) -> bool:
        """Return whether the range is the whole text or a whole JSON string."""
        around = self.text[max(0, start - 1) : start], self.text[end : end + 1]
        return around == (('"', '"') if self.is_json else ("", ""))

    def _plain(self, word: str) -> str:
        if self.is_json and "\\" in word:
            word = ESCAPE.sub(lambda code: chr(int(code[1], 16)), word)
            word = ESCAPED.get(word, "" if word.startswith("\\") else word)
        return word.casefold()


class _FieldNames:
    def __init__(self, text: str) -> None:
        self._left = (match.span(1) for match in JSON_STRING.finditer(text) if match[2])
        self._start = self._end = 0

    def contain(self, place: int) -> bool:
        """Return whether the character at `place` is in the name of a field.

        Places must not decrease from call to call.
        """
        while self._end <= place:
            self._start, self._end = next(self._left, (sys.maxsize, sys.maxsize))
        return self._start <= place


def words_of(value: str) -> tuple[str, ...]:
    """Return the words of a value spelled without JSON escapes."""
    return tuple(word.plain for word in Text(value, False).words())


def _is_json(text: str) -> bool:
    try:
        json_text.loads(text)
    except ValueError:
        return False
    return True
