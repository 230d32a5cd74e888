"""What each column of a file holds, as far as a sample of its rows shows."""

import json
from collections import Counter
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from tasks.stages.data.readers.rows import Row

MOST_DISTINCT = 5_000
"""Values that are counted one by one; a column with more has too many for labels."""
MOSTLY = 0.98
"""Share of a column's values that makes it a column of them."""


@dataclass(frozen=True)
class Column:
    name: str
    filled: int
    """Rows with a value."""
    rows: int
    """Rows looked at."""
    texts: int
    """Values that are text."""
    dates: int
    """Values that are dates, or ISO 8601 text of one."""
    chats: int
    """Values that are lists of turns, or JSON text of one."""
    objects: int
    """Values that are JSON text of an object."""
    mean_chars: float
    values: Counter[str]
    """How often each value of text comes, up to MOST_DISTINCT of them."""

    def mostly(self, count: int) -> bool:
        """Whether so many values are nearly all of it."""
        return self.filled > 0 and count >= MOSTLY * self.filled

    @property
    def distinct(self) -> int:
        return len(self.values)

    @property
    def repeats(self) -> bool:
        """Whether its values are names of classes: short, few, and each again and again."""
        few = self.distinct <= 200 and self.distinct * 4 <= self.filled
        return self.filled > 0 and few and self.mean_chars <= 80


def profiled(name: str, rows: Sequence[Row]) -> Column:
    """One column of these rows."""
    values = [value for row in rows if (value := row.values.get(name)) not in (None, "")]
    texts = [value for value in values if isinstance(value, str)]
    counted: Counter[str] = Counter()
    for text in map(_text, values):
        if text in counted or len(counted) < MOST_DISTINCT:
            counted[text] += 1
    return Column(
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
    """What JSON text says; null for what is none, or does not begin so."""
    if text.lstrip()[:1] != begins:
        return None
    with suppress(ValueError, RecursionError):
        return json.loads(text)
    return None
