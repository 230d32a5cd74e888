"""Limits on the size of a source, set by its owner in sources.yaml. A source is refused as soon as it exceeds one."""

from collections.abc import Iterator
from functools import partial
from typing import TextIO

from tasks.core.errors import InputError
from tasks.sources.sources import Source


def refuse_unpacked(size: int, source: Source) -> None:
    if size > source.max_unpacked_bytes:
        raise _limit_error("unpacks to more than", "max_unpacked_bytes", source)


def refuse_rows(rows: int, source: Source) -> None:
    """Raise InputError if a source has more rows, including blank lines, than its limit."""
    if rows > source.max_rows:
        raise _limit_error("has more rows than", "max_rows", source)


def refuse_columns(columns: int, source: Source) -> None:
    if columns > source.max_columns:
        raise _limit_error(f"has {columns:,} columns or more, and more than", "max_columns", source)


def refuse_row_bytes(size: int, where: str, source: Source) -> None:
    """Raise InputError if one row is larger than its limit. `where` names the row or line in words."""
    if size > source.max_row_bytes:
        raise _limit_error(f"is longer at {where} than", "max_row_bytes", source)


def lines_of(content: TextIO, source: Source) -> Iterator[str]:
    """Yield the lines of a text with their ends.

    Raises:
        InputError: A line is longer than a row may be. No more of the line is read.
    """
    most = source.max_row_bytes
    for number, line in enumerate(iter(partial(content.readline, most + 1), ""), start=1):
        if len(line) > most:
            refuse_row_bytes(len(line), f"line {number}", source)
        yield line


def _limit_error(what: str, limit: str, source: Source) -> InputError:
    return InputError(
        f"source {source.id}: {source.location} {what} {limit} allows, {getattr(source, limit):,}; if that is no "
        "accident, raise it for the source in sources.yaml"
    )
