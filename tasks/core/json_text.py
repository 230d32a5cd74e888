"""Parsing of JSON, and its canonical form. Every parser here raises ValueError for JSON that it refuses.

                        repeated keys    NaN, Infinity  depth limit      unpaired surrogates  other rules
    parse               last one counts  accepted       Python's stack   accepted
    parse_shallow       last one counts  accepted       MAX_DEPTH        accepted
    parse_bounded       last one counts  accepted       Python's stack   accepted             limited number of pieces
    parse_strict        refused          refused        Python's stack   accepted
    parse_canonical     refused          refused        Python's stack   refused              only canonical spelling
    parse_interoperable refused          refused        MAX_DEPTH        refused              exact integers; 1.0 is 1

All parsers refuse integers of more than 4,300 digits, because Python takes too long to convert them.

Python parses nested values as deep as its stack allows. Without MAX_DEPTH, the result would depend on how deep the
caller is in the stack.
"""

import json
import re
from collections.abc import Iterator
from itertools import islice
from typing import Any

MAX_DEPTH = 100
"""Maximum nesting depth of lists and objects. Python's own limit is several hundred levels higher."""
MAX_INTEGER = 2**53 - 1
"""Largest absolute value of an integer that every JSON parser reads the same way (RFC 7493, section 2.2)."""
SURROGATE_PATTERN = re.compile("[\ud800-\udfff]")
"""Pattern of a surrogate. It is not a character, but stands for an undecoded byte or for half of an escaped pair in
JSON."""
_JSON_SURROGATE_PATTERN = re.compile(rf"{SURROGATE_PATTERN.pattern}|\\u[dD][89a-fA-F]")
_PIECE_PATTERN = re.compile(rb'"(?:[^"\\]++|\\.)*+(?:"|\\?\Z)|[\[{,]', re.DOTALL)
"""Pattern of a piece of JSON: a string, or one of the characters `[`, `{` and `,`. An unterminated string matches to
the end of the text, so that no byte is scanned twice."""


class RefusedJson(ValueError):
    """Error for JSON that a parser here refuses, but Python's parser would accept, at least with a larger stack."""


class NotCanonical(RefusedJson):
    pass


def canonical_json(value: Any) -> bytes:
    """Serialise a value as canonical JSON: UTF-8 with sorted keys and no spaces. NaN and infinity are refused."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False).encode()


def parse(data: str | bytes) -> Any:
    """Parse JSON as `json.loads` does, but raise ValueError instead of RecursionError."""
    return _decode_json(data, _PYTHON_DECODER)


def parse_shallow(text: str) -> Any:
    return _require_shallow(parse(text), text)


def parse_bounded(data: bytes, max_pieces: int) -> Any:
    limit_pieces(data, max_pieces)
    return parse(data)


def limit_pieces(data: bytes, max_pieces: int) -> None:
    """Check that a JSON text does not have too many pieces. Each string, comma, list and object counts as one piece.

    Pieces are counted before the text is parsed, because parsing five million empty lists in 15 MB takes 450 MB of
    memory and four seconds.

    Args:
        data: JSON text.
        max_pieces: Maximum number of pieces.

    Raises:
        ValueError: The text has more pieces.
    """
    if next(islice(_PIECE_PATTERN.finditer(data), max_pieces, None), None):
        raise ValueError(f"it has more than {max_pieces:,} values, and what belongs there never has")


def parse_strict(data: str | bytes) -> Any:
    """Parse JSON as RFC 8259 defines it. NaN, infinity and repeated keys are refused."""
    return _decode_json(data, _STRICT_DECODER)


def parse_canonical(data: bytes, required_suffix: bytes = b"") -> Any:
    """Parse canonical JSON. Any other spelling of the same value is refused.

    Args:
        data: Canonical JSON followed by `required_suffix`.
        required_suffix: Bytes that are required after the JSON.
    """
    value = parse(data)
    try:
        same = canonical_json(value) + required_suffix == data
    except RecursionError:
        raise RefusedJson("nested too deep") from None
    if not same:
        raise NotCanonical("it is not in canonical form")
    return value


def parse_interoperable(text: str) -> Any:
    """Parse I-JSON (RFC 7493), which every JSON parser reads the same way.

    1.0 is parsed as 1, so that values can be compared. Integers beyond 2^53 are refused, because some parsers read them
    as floats, so that neighbouring integers become equal. For example, an answer with a wrong order number could then
    count as correct.
    """
    value = _require_shallow(_decode_json(text, _INTEROPERABLE_DECODER), text)
    if _JSON_SURROGATE_PATTERN.search(text) and _contains_surrogate(value):
        raise RefusedJson("it holds half of a character")
    return value


def exceeds_max_depth(value: Any) -> bool:
    return any(depth > MAX_DEPTH for depth, item in _walk_values(value) if isinstance(item, dict | list))


def has_unpaired_surrogate(text: str) -> bool:
    """Return whether a text is JSON with an unpaired surrogate.

    Databases cannot store such a surrogate, and pages cannot display it.
    """
    if not _JSON_SURROGATE_PATTERN.search(text):
        return False
    try:
        return _contains_surrogate(parse_shallow(text))
    except ValueError:
        return False


def _require_shallow(value: Any, text: str) -> Any:
    if text.count("[") + text.count("{") > MAX_DEPTH and exceeds_max_depth(value):
        raise RefusedJson("nested too deep")
    return value


def _contains_surrogate(value: Any) -> bool:
    return any(SURROGATE_PATTERN.search(item) for _, item in _walk_values(value) if isinstance(item, str))


def _walk_values(value: Any) -> Iterator[tuple[int, Any]]:
    open_values = [(1, value)]
    while open_values:
        depth, item = open_values.pop()
        yield depth, item
        inner = [*item, *item.values()] if isinstance(item, dict) else item if isinstance(item, list) else ()
        open_values += [(depth + 1, each) for each in inner]


def _require_unique_keys(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    value = dict(pairs)
    if len(value) != len(pairs):
        raise RefusedJson("an object has the same key twice")
    return value


def _refuse_constant(constant: str) -> None:
    raise RefusedJson(f"{constant} is no number of JSON")


def _parse_exact_integer(digits: str) -> int:
    if abs(value := int(digits)) > MAX_INTEGER:
        raise RefusedJson("an integer beyond 2^53 is another number for some parsers; write it as text, in quotes")
    return value


def _parse_finite_number(digits: str) -> float | int:
    value = float(digits)
    if value in (float("inf"), float("-inf")):
        raise RefusedJson("a number is too large")
    return int(value) if value.is_integer() else value


_PYTHON_DECODER = json.JSONDecoder()
_STRICT_DECODER = json.JSONDecoder(object_pairs_hook=_require_unique_keys, parse_constant=_refuse_constant)
_INTEROPERABLE_DECODER = json.JSONDecoder(
    object_pairs_hook=_require_unique_keys,
    parse_constant=_refuse_constant,
    parse_float=_parse_finite_number,
    parse_int=_parse_exact_integer,
)


def _decode_json(data: str | bytes, decoder: json.JSONDecoder) -> Any:
    text = data if isinstance(data, str) else data.decode(json.detect_encoding(data), "surrogatepass")
    try:
        return decoder.decode(text)
    except RecursionError:
        raise RefusedJson("nested too deep") from None
