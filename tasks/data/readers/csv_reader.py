"""CSV as RFC 4180 has it: a header, quotes doubled inside quotes, the declared delimiter."""

import csv
import sys
from collections.abc import Iterable, Iterator
from typing import IO, TYPE_CHECKING

from tasks.data.readers.columns import check_columns
from tasks.data.readers.decoding import text
from tasks.data.readers.rows import Malformed, Row
from tasks.errors import InputError
from tasks.govern.sources import Source

if TYPE_CHECKING:
    from _csv import Reader


class Lines:
    """Lines on their way into the parser; knows how the last one ended."""

    def __init__(self, lines: Iterable[str]) -> None:
        self._lines = iter(lines)
        self.last = ""

    def __iter__(self) -> "Lines":
        return self

    def __next__(self) -> str:
        self.last = next(self._lines)
        # The parser stops at NUL, which normalisation removes anyway.
        return self.last.replace("\0", "")


def read(file: IO[bytes], source: Source) -> Iterator[Row | Malformed]:
    """Rows as text by column. Rows with too few or many fields or stray quotes are malformed."""
    lines = Lines(text(file, source))
    parser = csv.reader(lines, delimiter=source.delimiter, strict=True)
    # A field of any length is for `clean` to judge; a limit would cut the row in two.
    limit = csv.field_size_limit(sys.maxsize)
    try:
        header = _header(parser, source)
        yield from _rows(parser, lines, header, source)
    finally:
        csv.field_size_limit(limit)


def _header(parser: Iterator[list[str]], source: Source) -> list[str]:
    try:
        header = [name.strip() for name in next(parser)]
    except (csv.Error, StopIteration) as error:
        raise InputError(f"source {source.id}: the header of {source.location} cannot be read ({error})") from None
    check_columns(header, source)
    return header


def _rows(parser: "Reader", lines: Lines, header: list[str], source: Source) -> Iterator[Row | Malformed]:
    number, width = 0, len(header)
    while True:
        line = parser.line_num + 1
        try:
            fields = next(parser)
        except StopIteration:
            return
        except csv.Error as error:
            number += 1
            if str(error) == "unexpected end of data":
                raise _truncated(
                    source, f"within the quoted field of row {number}, which begins on line {line}"
                ) from None
            yield Malformed(number, "stray_quote", f"line {line}: quotes inside a quoted field must be doubled")
            continue
        if not fields:
            continue
        number += 1
        if len(fields) < width and not lines.last.endswith(("\n", "\r")):
            raise _truncated(source, f"after {len(fields)} of {width} fields of row {number}, on line {line}")
        if len(fields) != width:
            yield Malformed(number, "field_count", f"line {line}: {len(fields)} fields, the header has {width}")
        else:
            yield Row(number, dict(zip(header, fields, strict=True)))


def _truncated(source: Source, where: str) -> InputError:
    return InputError(
        f"source {source.id}: {source.location} is truncated: it ends {where}; fetch it again, or close the quote"
    )
