"""JSON in the texts of sources, parsed alike by every stage and on every machine.

Python parses and writes nested values as deep as its stack allows. Without a limit of Hallmark's the result would
depend on how deep the caller is in the stack.
"""

import json
import re
from collections.abc import Iterator
from typing import Any

from tasks.stages.data.text import SURROGATES

MAX_DEPTH = 100
"""Maximum depth of nested lists and objects; Python's own limit is several hundred higher."""
SURROGATE_ESCAPE = re.compile(r"\\u[dD][89a-fA-F]")
"""Escape of a surrogate, which is half of a character; the escape of the other half may follow."""


def loads(text: str) -> Any:
    """Parse JSON.

    Raises:
        ValueError: The text is not JSON, or is nested deeper than DEEPEST.
    """
    try:
        value = json.loads(text)
    except RecursionError:
        raise ValueError("nested too deep") from None
    if text.count("[") + text.count("{") > MAX_DEPTH and exceeds_max_depth(value):
        raise ValueError("nested too deep")
    return value


def loads_strict(text: str) -> Any:
    """Parse JSON as `loads` does, and also raise ValueError for an unpaired surrogate."""
    if has_unpaired_surrogate(text):
        raise ValueError("half of a character")
    return loads(text)


def exceeds_max_depth(value: Any) -> bool:
    return any(depth > MAX_DEPTH for depth, item in _within(value) if isinstance(item, dict | list))


def has_unpaired_surrogate(text: str) -> bool:
    """Return whether the text is JSON with an unpaired surrogate, which no table can store and no page can show."""
    if not SURROGATE_ESCAPE.search(text):
        return False
    try:
        value = loads(text)
    except ValueError:
        return False
    return any(SURROGATES.search(item) for _, item in _within(value) if isinstance(item, str))


def _within(value: Any) -> Iterator[tuple[int, Any]]:
    """Yield the value and all keys and values in it, each with its depth; that of the value itself is 1."""
    open_values = [(1, value)]
    while open_values:
        depth, item = open_values.pop()
        yield depth, item
        inner = [*item, *item.values()] if isinstance(item, dict) else item if isinstance(item, list) else ()
        open_values += [(depth + 1, each) for each in inner]
