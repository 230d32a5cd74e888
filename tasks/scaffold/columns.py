"""Profile of a column, from a sample of the file's rows."""

from collections import Counter
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from tasks.core.json_text import parse
from tasks.stages.data.readers.rows import Row

MOST_DISTINCT = 5_000
"""Maximum number of distinct values that are counted. A column with more values cannot contain labels."""
MIN_TYPE_SHARE = 0.98
"""Minimum share of values of one type, from 0 to 1, for a column to be of that type."""


@dataclass(frozen=True)
class ColumnProfile:
    name: str
    filled: int
    rows: int
    texts: int
    dates: int
    """Number of values that are dates, or text with a date in ISO 8601 format."""
    chats: int
    """Number of values that are lists of chat turns, or text with such a list in JSON."""
    objects: int
    """Number of values that are text with a JSON object."""
    mean_chars: float
    values: Counter[str]
    """Frequency of each value as text, for at most MOST_DISTINCT values."""

    def is_mostly(self, count: int) -> bool:
        return self.filled > 0 and count >= MIN_TYPE_SHARE * self.filled

    @property
    def distinct(self) -> int:
        return len(self.values)

    @property
    def has_labels(self) -> bool:
        """Whether the values are class names: few, short, and each of them frequent."""
        few = self.distinct <= 200 and self.distinct * 4 <= self.filled
        return self.filled > 0 and few and self.mean_chars <= 80


def profile_column(name: str, rows: Sequence[Row]) -> ColumnProfile:
    values = [value for row in rows if (value := row.values.get(name)) not in (None, "")]
    texts = [value for value in values if isinstance(value, str)]
    counted: Counter[str] = Counter()
    for text in map(_text, values):
        if text in counted or len(counted) < MOST_DISTINCT:
            counted[text] += 1
    return ColumnProfile(
        name=name,
        filled=len(values),
        rows=len(rows),
        texts=len(texts),
        dates=sum(map(_is_date, values)),
        chats=sum(map(_is_chat, values)),
        objects=sum(isinstance(value, str) and isinstance(_json(value, "{"), dict) for value in values),
        mean_chars=sum(map(len, texts)) / max(1, len(texts)),
        values=counted,
    )


def _text(value: Any) -> str:
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
    turns = _json(value, "[") if isinstance(value, str) else value
    return isinstance(turns, list) and bool(turns) and all(isinstance(turn, dict) and "role" in turn for turn in turns)


def _json(text: str, begins: str) -> Any:
    """Parse JSON that begins with the character `begins`; return None if the text does not, or is not valid JSON."""
    if text.lstrip()[:1] != begins:
        return None
    with suppress(ValueError):
        return parse(text)
    return None
