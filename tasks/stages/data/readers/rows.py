"""What a reader hands on: rows, and rows that could not be read."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import IO, Any

from tasks.sources.sources import Source


@dataclass(frozen=True, slots=True)
class Row:
    number: int
    """1-based number of the data row in its source; headers and blank lines are not counted."""
    values: dict[str, Any]
    """By column name. Text in csv, any JSON value in jsonl, any Arrow value as Python has it in parquet."""


@dataclass(frozen=True, slots=True)
class Malformed:
    """A row that is not what its format promises."""

    number: int
    rule: str
    reason: str
    """For the data owner: what was expected and what came, never a value of the row."""


Reader = Callable[[IO[bytes], Source], Iterator[Row | Malformed]]
"""Unpacked content and declaration of a source to its rows, in order. Raises InputError where the whole source is
unusable."""
