"""JSON that stands in the texts of sources, read alike by every stage and on every machine.

Python reads and writes what is nested as deep as the stack allows, so that its own answer would depend on who asks.
"""

import json
import re
from collections.abc import Iterator
from typing import Any

from tasks.stages.data.text import SURROGATES

DEEPEST = 100
"""Lists and objects within each other; Python's limit is some hundreds more."""
HALF = re.compile(r"\\u[dD][89a-fA-F]")
"""An escape of what may be half of a character: the other half may stand behind it."""


def loads(text: str) -> Any:
    """Raises ValueError for what is no JSON, or nested deeper than DEEPEST."""
    try:
        value = json.loads(text)
    except RecursionError:
        raise ValueError("nested too deep") from None
    if text.count("[") + text.count("{") > DEEPEST and is_deep(value):
        raise ValueError("nested too deep")
    return value


def whole(text: str) -> Any:
    """As `loads`. Raises ValueError for half of a character too."""
    if has_half(text):
        raise ValueError("half of a character")
    return loads(text)


def is_deep(value: Any) -> bool:
    """Whether a value is nested deeper than DEEPEST."""
    return any(depth > DEEPEST for depth, item in _within(value) if isinstance(item, dict | list))


def has_half(text: str) -> bool:
    """Whether the text is JSON with half of a character in it, which no table holds and no page shows."""
    if not HALF.search(text):
        return False
    try:
        value = loads(text)
    except ValueError:
        return False
    return any(SURROGATES.search(item) for _, item in _within(value) if isinstance(item, str))


def _within(value: Any) -> Iterator[tuple[int, Any]]:
    """The value, keys and values in it, and those in them, each with how many lists and objects it takes to hold it."""
    open_values = [(1, value)]
    while open_values:
        depth, item = open_values.pop()
        yield depth, item
        inner = [*item, *item.values()] if isinstance(item, dict) else item if isinstance(item, list) else ()
        open_values += [(depth + 1, each) for each in inner]
