"""Definitions of a reader, of the rows that it yields, and of malformed rows."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import IO, Any

from tasks.sources.sources import Source


@dataclass(frozen=True, slots=True)
class Row:
    number: int
    """Number of the row in its source, from 1; header and blank lines are not counted."""
    values: dict[str, Any]
    """Values by column name: strings in CSV, JSON values in JSON Lines, Python values of any Arrow type in Parquet."""


@dataclass(frozen=True, slots=True)
class MalformedRow:
    number: int
    rule: str
    reason: str
    """Explanation for the data owner: the expected and the actual format of the row, without any value from it."""
    is_usual: bool = False
    """Whether such rows are usual in a sound source, so that they do not count toward `data.max_malformed_share`."""


@dataclass(frozen=True)
class Reader:
    """Reader of one file format. Its functions get a source's unpacked content and its declaration."""

    read: Callable[[IO[bytes], Source], Iterator[Row | MalformedRow]]
    """Function that yields the rows in order. It raises InputError if the whole source is unusable."""
    column_names: Callable[[IO[bytes], Source], Sequence[str]]
    """Function that returns the column names of a source whose mapping is not known yet."""
    recognises: Callable[[bytes], bool]
    """Function that returns whether a file with these first bytes has the format. A file that no reader recognises
    is read as CSV."""
    is_text: bool = True
    """Whether the format is text, which has an encoding and may be compressed with gzip."""
    suffixes: tuple[str, ...] = ()
    """Suffixes, in lower case, of the files that are read from a folder. Empty: a source is a single file."""
    has_header: bool = False
    """Whether the first line contains the column names, separated by the source's delimiter."""
