"""Rows of a source, and rows that could not be read, as readers yield them."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import IO, Any

from tasks.sources.sources import Source


@dataclass(frozen=True, slots=True)
class Row:
    number: int
    """Number of the row in its source, from 1; header and blank lines are not counted."""
    values: dict[str, Any]
    """Values by column name: text in csv, any JSON value in jsonl, Python values of any Arrow type in parquet."""


@dataclass(frozen=True, slots=True)
class MalformedRow:
    """Row that does not conform to its format."""

    number: int
    rule: str
    reason: str
    """Reason for the data owner: what was expected and what came, but no value of the row."""


Reader = Callable[[IO[bytes], Source], Iterator[Row | MalformedRow]]
"""Function that yields the rows of a source, in order, from its unpacked content and its declaration.

The function raises InputError if the whole source is unusable.
"""
