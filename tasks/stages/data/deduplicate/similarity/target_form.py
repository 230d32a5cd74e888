"""Normal form of targets: differences in case, spaces, final punctuation and the layout of JSON do not matter."""

import json
from typing import Any

FINAL_PUNCTUATION = " .!?…。;,:"
MAX_DEPTH = 50
"""Maximum depth of JSON that is normalised; deeper JSON is compared as text."""


def normalise_target(text: str) -> str:
    """Return the normal form of a target, which is equal for targets that say the same."""
    if text.lstrip().startswith(("{", "[")):
        try:
            return f"{_ordered(json.loads(text, object_pairs_hook=_pairs, parse_int=_number, parse_float=_number))}"
        except (ValueError, RecursionError):  # not JSON, or JSON with a repeated field
            pass
    return _plain(text)


class _Number(str):
    """Number as it is written, since 1.0 may be another answer than 1."""


def _number(literal: str) -> _Number:
    return _Number(literal)


def _pairs(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    fields = dict(pairs)
    if len(fields) < len(pairs):
        raise ValueError("a field is named twice")
    return fields


def _ordered(value: Any, level: int = 0) -> Any:
    """Return the value with fields sorted by name and texts in normal form."""
    if level > MAX_DEPTH:
        raise ValueError("too deep")
    if isinstance(value, dict):
        return "{", sorted((_plain(name), _ordered(field, level + 1)) for name, field in value.items())
    if isinstance(value, list):
        return "[", [_ordered(item, level + 1) for item in value]
    if isinstance(value, str) and not isinstance(value, _Number):
        return "text", _plain(value)
    return "other", str(value)


def _plain(text: str) -> str:
    plain = " ".join(text.casefold().split())
    return plain.rstrip(FINAL_PUNCTUATION) or plain
