"""Definition of a reader: rows of a source, rows that could not be read, and what `hallmark new` asks of a format."""

from collections.abc import Callable, Iterator, Sequence
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
    number: int
    rule: str
    reason: str
    """Reason for the data owner: the expected and the actual form of the row, but no value of it."""


@dataclass(frozen=True)
class Reader:
    """Reader of one kind of source. Each function gets the unpacked content and the declaration of a source."""

    read: Callable[[IO[bytes], Source], Iterator[Row | MalformedRow]]
    """Function that yields the rows, in order. It raises InputError if the whole source is unusable."""
    column_names: Callable[[IO[bytes], Source], Sequence[str]]
    """Function that returns the names of the columns, for a source whose mapping is not known yet."""
    recognises: Callable[[bytes], bool]
    """Whether a file with these first bytes is of the kind. A file that no reader recognises is taken for csv."""
    is_text: bool = True
    """Whether the content is text, which has an encoding and may be gzip-compressed."""
    has_header: bool = False
    """Whether the first line names the columns, with the source's delimiter between them."""
