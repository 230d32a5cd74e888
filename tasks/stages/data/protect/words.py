"""Words of a text in the normal form in which the texts of a record are compared: decoded, folded, casefolded."""

import re
import unicodedata
from bisect import bisect_right
from collections.abc import Collection, Iterator
from functools import cached_property
from typing import NamedTuple

from tasks.stages.data.protect.decoded_text import DecodedText, JsonToken, decode_text, is_json_text
from tasks.stages.data.protect.recognisers.fold import fold_text
from tasks.stages.data.protect.recognisers.span import Span

WORD_OR_SIGN = re.compile(r"\w+|[^\w\s]")


class Word(NamedTuple):
    """Word of a text, or a single character that is neither part of a word nor white space."""

    plain: str
    """Decoded, folded and casefolded form of the word. Empty for a quotation mark of a JSON string, so that no sequence
    of words extends beyond a string."""
    start: int
    end: int
    names_field: bool = False


class RecordText:
    """Text of a record. All offsets refer to the stored text, in which escapes are not decoded."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.is_json = is_json_text(text)

    @cached_property
    def decoded(self) -> DecodedText:
        return decode_text(self.text, self.is_json)

    def words(self, start: int = 0, end: int | None = None) -> Iterator[Word]:
        first = self.decoded.from_original(start)
        folded = fold_text(self.decoded.text[first : None if end is None else self.decoded.from_original(end)])
        for match in WORD_OR_SIGN.finditer(folded.text):
            begin, stop = match.span()
            if folded.removed_offsets:
                begin, stop, *_ = folded.to_original(Span(begin, stop, "", 0))
            begin, stop = self.decoded.to_original(first + begin), self.decoded.to_original(first + stop)
            token = self._token_at(begin)
            is_delimiter = token is None and match[0] == '"'
            yield Word("" if is_delimiter else match[0].casefold(), begin, stop, bool(token and token.names_field))

    def field_spans(self) -> Iterator[tuple[int, int]]:
        """Yield start and end of each JSON value that is a non-empty string.

        Nothing is yielded for a text that is not JSON, because it may be a label.
        """
        for token in self.decoded.json_tokens if self.is_json else ():
            if token.start < token.end and not (token.names_field or token.is_number):
                yield token.start, token.end

    def spans_in_fields(self, fields: Collection[str]) -> Iterator[tuple[str, int, int]]:
        """Yield field, start and end of each value, and of each name of a nested field, within the given JSON fields.

        Values are numbers and non-empty strings. If a value is within several of the given fields, the innermost field
        is yielded. `fields` are decoded names in NFC.
        """
        outer, around, end = list[str](), "", 0
        for token in self.decoded.json_tokens if self.is_json else ():
            for sign in self.decoded_part(end, token.start):
                if sign in "[{":
                    outer.append(around)
                elif sign in "]}":
                    around = outer.pop()
                elif sign == ",":
                    around = outer[-1]
            end = token.end
            if token.names_field:
                around = outer[-1]
                name = unicodedata.normalize("NFC", self.decoded_part(token.start, end))
                if name in fields:
                    around = name
                    continue
            if around and token.start < end:
                yield around, token.start, end

    def decoded_part(self, start: int, end: int) -> str:
        return self.decoded.text[self.decoded.from_original(start) : self.decoded.from_original(end)]

    def strip_span(self, start: int, end: int) -> tuple[int, int]:
        unescaped, first = self.decoded_part(start, end), self.decoded.from_original(start)
        last = first + len(unescaped.rstrip())
        first += len(unescaped) - len(unescaped.lstrip())
        return self.decoded.to_original(first), self.decoded.to_original(last)

    def stands_alone(self, start: int, end: int) -> bool:
        if not self.is_json:
            return (start, end) == (0, len(self.text))
        token = self._token_at(start)
        return token is not None and (token.start, token.end) == (start, end)

    def _token_at(self, place: int) -> JsonToken | None:
        tokens = self.decoded.json_tokens
        before = bisect_right(tokens, place, key=lambda token: token.start)
        token = tokens[before - 1] if before else None
        return token if token and place < token.end else None


def split_words(value: str) -> tuple[str, ...]:
    """Return the words of a decoded value, folded and casefolded."""
    return tuple(match[0].casefold() for match in WORD_OR_SIGN.finditer(fold_text(value).text))
