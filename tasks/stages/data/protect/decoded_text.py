r"""Decoding of a text into the characters that a reader sees, with conversion of offsets back to the original text.

- Escapes of JSON are decoded in JSON, in JSON within strings of JSON, and in JSON within other text.
- Entities of HTML are decoded everywhere, even if an entity's own ampersand is an entity (`&amp;#64;`).

Without decoding, a recogniser would take `\nada@example.org` for the address of nada, and would miss a number after
`\u00a0`. Decoded text is used only for matching. The stored text is the original, in which an escape is replaced only
as a whole.
"""

import html
import json
import re
from bisect import bisect_right
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import lru_cache
from typing import NamedTuple

from tasks.core.json_text import SURROGATE_PATTERN, parse, parse_shallow
from tasks.stages.data.text import CONTROL_CHARACTERS, LINE_ENDS

JSON_STRING = re.compile(r'"((?:[^"\\]|\\.)*+)"(\s*+:)?', re.DOTALL)
"""Pattern of a JSON string. The second group matches if the string is the name of a field."""
JSON_TOKEN = re.compile(rf"{JSON_STRING.pattern}|(-?\d[\d.eE+-]*)", re.DOTALL)
"""Pattern of a JSON string or number. The third group is the number."""
ESCAPE = re.compile(
    r"\\(?:u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}|u[0-9a-fA-F]{4}|[\"\\/bfnrt])",
)
ENTITY = re.compile(r"&(?:#\d{1,7};?|#[xX][0-9a-fA-F]{1,6};?|[A-Za-z][A-Za-z0-9]{1,30};)")
EMBEDDED_JSON = re.compile(r'\A\s*+(?=")|(?=[\[{]\s*["\[{])')
MAX_FAILED_STARTS = 100
"""Maximum number of failed attempts to parse JSON within a text. Each attempt may read the text to its end."""
MAX_NESTING = 4
"""Maximum depth of JSON within JSON strings, and of HTML entities within entities."""


class DecodingLayer(NamedTuple):
    decoded_ends: list[int]
    """End offset of each decoded character in the decoded text, ascending."""
    source_ends: list[int]
    """End offset of each escape or entity in the source text, ascending."""

    def to_source(self, offset: int) -> int:
        passed = bisect_right(self.decoded_ends, offset)
        return offset + (self.source_ends[passed - 1] - self.decoded_ends[passed - 1] if passed else 0)

    def to_decoded(self, offset: int) -> int:
        """Convert a source offset to an offset in the decoded text.

        An offset within an escape becomes the start of the decoded character.
        """
        passed = bisect_right(self.source_ends, offset)
        plain = offset - (self.source_ends[passed - 1] - self.decoded_ends[passed - 1] if passed else 0)
        return min(plain, self.decoded_ends[passed] - 1) if passed < len(self.decoded_ends) else plain


class JsonToken(NamedTuple):
    """JSON string without its quotation marks, or JSON number, with offsets into the original text.

    Text between JSON documents counts as a token too.
    """

    start: int
    end: int
    placeholder_quote: str = ""
    """Quotation mark for a placeholder that replaces a number; empty for a string, which already has quotation
    marks."""
    names_field: bool = False

    @property
    def is_number(self) -> bool:
        return bool(self.placeholder_quote)


class DecodedText(NamedTuple):
    text: str
    layers: tuple[DecodingLayer, ...]
    json_tokens: list[JsonToken]
    """Strings and numbers of all JSON in the text, in order. A string that contains JSON is represented by the
    tokens of that JSON."""

    def to_original(self, offset: int) -> int:
        return _to_original(self.layers, offset)

    def from_original(self, offset: int) -> int:
        for layer in self.layers:
            offset = layer.to_decoded(offset)
        return offset


def decode_text(text: str, is_json: bool) -> DecodedText:
    """Decode the JSON escapes and HTML entities of a text.

    `is_json` says whether the text as a whole is a JSON list or object.
    """
    layers, quote, length = list[DecodingLayer](), '"', len(text)
    regions = [(0, length)] if is_json else list(_embedded_json(text))
    tokens = [JsonToken(*gap) for gap in _uncovered_ranges(regions, length)]
    while regions and len(layers) < MAX_NESTING:
        matches = [match for start, end in regions for match in JSON_TOKEN.finditer(text, start, end)]
        text, layer = _decode_matches(text, _find_matches(ESCAPE, text, regions), _decode_escape)
        regions = []
        for match in matches:
            inner = layer.to_decoded(match.start(1)), layer.to_decoded(match.end(1))
            if match[1] and len(layers) + 1 < MAX_NESTING and is_json_text(text[inner[0] : inner[1]]):
                regions.append(inner)
            else:
                start, end = (_to_original(layers, offset) for offset in match.span(3 if match[3] else 1))
                tokens.append(JsonToken(start, end, quote if match[3] else "", bool(match[2])))
        layers.append(layer)
        quote = json.dumps(quote)[1:-1]
    for _ in range(MAX_NESTING):
        decoded, layer = _decode_matches(text, ENTITY.finditer(text) if "&" in text else (), _decode_entity)
        if not layer.decoded_ends:
            break
        text = decoded
        layers.append(layer)
    return DecodedText(text, tuple(layers), sorted(tokens))


def is_json_text(text: str) -> bool:
    if text.lstrip()[:1] not in ("{", "["):
        return False
    try:
        parse_shallow(text)
    except ValueError:
        return False
    return True


def _embedded_json(text: str) -> Iterator[tuple[int, int]]:
    decoder, start, failed = json.JSONDecoder(strict=False), 0, 0
    while failed < MAX_FAILED_STARTS and (match := EMBEDDED_JSON.search(text, start)):
        begin = match.end()
        try:
            _, start = decoder.raw_decode(text, begin)
        except (ValueError, RecursionError):
            failed, start = failed + 1, begin + 1
        else:
            if text[begin] != '"' or not text[start:].strip():
                yield begin, start


def _uncovered_ranges(regions: Iterable[tuple[int, int]], length: int) -> Iterator[tuple[int, int]]:
    passed = 0
    for start, end in [*regions, (length, length)]:
        if passed < start:
            yield passed, start
        passed = end


def _to_original(layers: Sequence[DecodingLayer], offset: int) -> int:
    for layer in reversed(layers):
        offset = layer.to_source(offset)
    return offset


def _find_matches(pattern: re.Pattern[str], text: str, regions: Iterable[tuple[int, int]]) -> Iterator[re.Match[str]]:
    for start, end in regions:
        yield from pattern.finditer(text, start, end)


def _decode_matches(
    text: str, matches: Iterable[re.Match[str]], character: Callable[[str], str]
) -> tuple[str, DecodingLayer]:
    parts, end, length, layer = list[str](), 0, 0, DecodingLayer([], [])
    for match in matches:
        if len(decoded := character(match[0])) == 1:
            parts += [text[end : match.start()], decoded]
            length += match.start() - end + 1
            end = match.end()
            layer.decoded_ends.append(length)
            layer.source_ends.append(end)
    return "".join([*parts, text[end:]]), layer


@lru_cache(maxsize=4_096)
def _decode_escape(escape: str) -> str:
    return _normalised_character(parse(f'"{escape}"'))


@lru_cache(maxsize=4_096)
def _decode_entity(entity: str) -> str:
    return _normalised_character(html.unescape(entity)) or "\u200b"


def _normalised_character(character: str) -> str:
    """Return a decoded character as normalisation would have stored it, if it had not been escaped.

    A control character, which normalisation would have removed, becomes a zero-width space, which recognisers ignore.
    """
    return SURROGATE_PATTERN.sub("\ufffd", CONTROL_CHARACTERS.sub("\u200b", LINE_ENDS.sub("\n", character)))
