"""Limits on the size of a source, set by its owner in sources.yaml. A source is refused as soon as it exceeds one."""

from collections.abc import Iterator
from functools import partial
from typing import TextIO

from tasks.core.errors import InputError
from tasks.sources.sources import Source


def check_unpacked_size(size: int, source: Source) -> None:
    if size > source.max_unpacked_bytes:
        raise _limit_error("unpacks to more than", "max_unpacked_bytes", source)


def check_row_count(rows: int, source: Source) -> None:
    """Raise InputError if a source has more rows, including blank lines, than its limit allows."""
    if rows > source.max_rows:
        raise _limit_error("has more rows than", "max_rows", source)


def check_column_count(columns: int, source: Source) -> None:
    if columns > source.max_columns:
        raise _limit_error(f"has {columns:,} columns or more, and more than", "max_columns", source)


def check_row_size(size: int, where: str, source: Source) -> None:
    """Raise InputError if a row exceeds its size limit. `where` names the row in the message, for example `line 7`."""
    if size > source.max_row_bytes:
        raise row_size_error(where, source)


def row_size_error(where: str, source: Source) -> InputError:
    return _limit_error(f"is longer at {where} than", "max_row_bytes", source)


def read_limited_lines(content: TextIO, source: Source) -> Iterator[str]:
    """Yield the lines of a text, including their line ends.

    Raises:
        InputError: A line exceeds the limit of a row. The rest of the line is not read.
    """
    most = source.max_row_bytes
    for number, line in enumerate(iter(partial(content.readline, most + 1), ""), start=1):
        if len(line) > most:
            check_row_size(len(line), f"line {number}", source)
        yield line


def _limit_error(what: str, limit: str, source: Source) -> InputError:
    return InputError(
        f"source {source.id}: {source.location} {what} {limit} allows, {getattr(source, limit):,}; if that is no "
        "accident, raise it for the source in sources.yaml"
    )
