"""Profile of a column, computed from a sample of the file's rows."""

from collections import Counter
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from tasks.core.json_text import parse
from tasks.stages.data.readers.rows import Row

MAX_DISTINCT_VALUES = 5_000
"""Maximum number of distinct values that are counted. A column with more distinct values does not contain labels."""
MIN_TYPE_SHARE = 0.98
"""Minimum fraction of a column's values that must have the same type for the column to have that type."""


@dataclass(frozen=True)
class ColumnProfile:
    name: str
    filled_rows: int
    rows: int
    text_values: int
    date_values: int
    """Number of values that are dates, or text with a date in ISO 8601 format."""
    chat_values: int
    """Number of values that are lists of chat turns, or text with such a list in JSON."""
    nested_values: int
    """Number of values that are objects or lists."""
    mean_chars: float
    value_counts: Counter[str]
    """Number of rows with each value, by the value as text. At most MAX_DISTINCT_VALUES values are counted."""

    def is_mostly(self, count: int) -> bool:
        return self.filled_rows > 0 and count >= MIN_TYPE_SHARE * self.filled_rows

    @property
    def distinct_count(self) -> int:
        return len(self.value_counts)

    @property
    def has_labels(self) -> bool:
        """Return whether the values look like class names, which are few, short and frequent."""
        few = self.distinct_count <= 200 and self.distinct_count * 4 <= self.filled_rows
        return self.filled_rows > 0 and few and self.mean_chars <= 80


def profile_column(name: str, rows: Sequence[Row]) -> ColumnProfile:
    values = [value for row in rows if (value := row.values.get(name)) not in (None, "")]
    texts = [value for value in values if isinstance(value, str)]
    counted: Counter[str] = Counter()
    for text in map(_value_text, values):
        if text in counted or len(counted) < MAX_DISTINCT_VALUES:
            counted[text] += 1
    return ColumnProfile(
        name=name,
        filled_rows=len(values),
        rows=len(rows),
        text_values=len(texts),
        date_values=sum(map(_is_date, values)),
        chat_values=sum(map(_is_chat, values)),
        nested_values=sum(isinstance(value, dict | list) for value in values),
        mean_chars=sum(map(len, texts)) / max(1, len(texts)),
        value_counts=counted,
    )


def _value_text(value: Any) -> str:
    return value.strip() if isinstance(value, str) else str(value)


def _is_date(value: Any) -> bool:
    if isinstance(value, date):
        return True
    if not isinstance(value, str) or len(value) > 40:
        return False
    with suppress(ValueError):
        return bool(datetime.fromisoformat(value.strip()))
    return False


def _is_chat(value: Any) -> bool:
    turns = _parse_json(value, "[") if isinstance(value, str) else value
    return isinstance(turns, list) and bool(turns) and all(isinstance(turn, dict) and "role" in turn for turn in turns)


def _parse_json(text: str, first_character: str) -> Any:
    """Parse JSON that begins with a given character; return None for any other text."""
    if text.lstrip()[:1] != first_character:
        return None
    with suppress(ValueError):
        return parse(text)
    return None
