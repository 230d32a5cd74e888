"""How much a source may hold. Its owner sets the limits in sources.yaml; what is past one is refused as it is met."""

from collections.abc import Iterator
from functools import partial
from typing import TextIO

from tasks.core.errors import InputError
from tasks.sources.sources import Source


def refuse_unpacked(size: int, source: Source) -> None:
    """Raises InputError where a source unpacks to more bytes than its owner allows."""
    if size > source.max_unpacked_bytes:
        raise _past("unpacks to more than", "max_unpacked_bytes", source)


def refuse_rows(rows: int, source: Source) -> None:
    """Raises InputError where a source has more rows than its owner allows; blank lines count."""
    if rows > source.max_rows:
        raise _past("has more rows than", "max_rows", source)


def refuse_columns(columns: int, source: Source) -> None:
    """Raises InputError where a source has more columns than its owner allows."""
    if columns > source.max_columns:
        raise _past(f"has {columns:,} columns or more, and more than", "max_columns", source)


def refuse_row_bytes(size: int, where: str, source: Source) -> None:
    """Raises InputError where one row holds more than its owner allows. `where` is the row or line in words."""
    if size > source.max_row_bytes:
        raise _past(f"is longer at {where} than", "max_row_bytes", source)


def lines_of(content: TextIO, source: Source) -> Iterator[str]:
    """The lines of a text with their ends. Raises InputError for one longer than a row may be, once it is so long."""
    most = source.max_row_bytes
    for number, line in enumerate(iter(partial(content.readline, most + 1), ""), start=1):
        if len(line) > most:
            refuse_row_bytes(len(line), f"line {number}", source)
        yield line


def _past(what: str, limit: str, source: Source) -> InputError:
    return InputError(
        f"source {source.id}: {source.location} {what} {limit} allows, {getattr(source, limit):,}; if that is no "
        "accident, raise it for the source in sources.yaml"
    )
