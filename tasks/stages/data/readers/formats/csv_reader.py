"""Reader of CSV according to RFC 4180, with a header, doubled quotes inside quotes, and the declared delimiter."""

import csv
import io
import sys
from collections.abc import Iterator
from typing import IO, TextIO

from tasks.core.errors import InputError
from tasks.sources.sources import Source
from tasks.stages.data.readers import delimiters
from tasks.stages.data.readers.columns import check_columns
from tasks.stages.data.readers.decoding import open_text, read_beginning
from tasks.stages.data.readers.limits import check_column_count, check_row_count, check_row_size, read_limited_lines
from tasks.stages.data.readers.rows import MalformedRow, Reader, Row


class LimitedLines:
    """Iterator over the lines of a text for the CSV parser, with a limit on the length of a row.

    Iteration raises InputError if a row is longer than its source allows.
    """

    def __init__(self, content: TextIO, source: Source) -> None:
        self._lines, self._source = read_limited_lines(content, source), source
        self.last_line = ""
        self._begun, self._characters, self._most = 1, 0, source.max_row_bytes

    def begin_row(self, line: int) -> None:
        """Start counting the characters of a row that begins on this line."""
        self._begun, self._characters = line, 0

    def __iter__(self) -> "LimitedLines":
        return self

    def __next__(self) -> str:
        self.last_line = next(self._lines)
        self._characters += len(self.last_line)
        if self._characters > self._most:  # composing the message for every line would take half of the reading time
            check_row_size(self._characters, f"the row that begins on line {self._begun}", self._source)
        # The parser stops at NUL characters, which normalisation would remove anyway.
        return self.last_line.replace("\0", "")


def read_rows(file: IO[bytes], source: Source) -> Iterator[Row | MalformedRow]:
    """Yield the rows of a CSV file. Rows with too few or too many fields, or with stray quotes, are malformed."""
    content = open_text(file, source)
    # Hallmark limits rows; the parser's own limit of a field would cut a row in two.
    limit = csv.field_size_limit(sys.maxsize)
    try:
        # Count all rows first: to process a row costs a hundred times as much as to find its end.
        for rows, _ in enumerate(_parse_rows(LimitedLines(content, source), source)):
            check_row_count(rows, source)
        content.seek(0)
        yield from _read_data_rows(LimitedLines(content, source), source)
    finally:
        csv.field_size_limit(limit)


def _parse_rows(lines: LimitedLines, source: Source) -> Iterator[tuple[int, list[str] | csv.Error]]:
    parser = csv.reader(lines, delimiter=source.delimiter, strict=True)
    while True:
        line = parser.line_num + 1
        lines.begin_row(line)
        try:
            yield line, next(parser)
        except StopIteration:
            return
        except csv.Error as error:
            yield line, error


def _check_header(row: list[str] | csv.Error, lines: LimitedLines, source: Source) -> list[str]:
    if isinstance(row, csv.Error):
        delimiters.check_delimiter([], lines.last_line, source)
        raise InputError(f"source {source.id}: the header of {source.location} cannot be read ({row})")
    header = [name.strip() for name in row]
    check_column_count(len(header), source)
    delimiters.check_delimiter(header, lines.last_line, source)
    check_columns(header, source)
    return header


def _read_data_rows(lines: LimitedLines, source: Source) -> Iterator[Row | MalformedRow]:
    parsed, number = _parse_rows(lines, source), 0
    header = _check_header(next(parsed)[1], lines, source)
    width = len(header)
    for line, fields in parsed:
        if not fields:
            continue
        number += 1
        if isinstance(fields, csv.Error):
            if str(fields) == "unexpected end of data":
                raise _truncated_error(source, f"within the quoted field of row {number}, which begins on line {line}")
            yield MalformedRow(number, "stray_quote", f"line {line}: quotes inside a quoted field must be doubled")
        elif len(fields) < width and not lines.last_line.endswith(("\n", "\r")):
            raise _truncated_error(source, f"after {len(fields)} of {width} fields of row {number}, on line {line}")
        elif len(fields) != width:
            yield MalformedRow(number, "field_count", f"line {line}: {len(fields)} fields, the header has {width}")
        else:
            yield Row(number, dict(zip(header, fields, strict=True)))


def column_names(file: IO[bytes], source: Source) -> list[str]:
    text = read_beginning(file, source)
    delimiters.refuse_other_format(text.partition("\n")[0], source)
    beginning = io.StringIO(text, newline="")
    try:
        header = next(csv.reader(beginning, delimiter=source.delimiter), [])
    except csv.Error as error:
        raise InputError(f"{source.location}: its header cannot be read ({error})") from None
    return [name.strip() for name in header]


def _truncated_error(source: Source, where: str) -> InputError:
    return InputError(
        f"source {source.id}: {source.location} is truncated: it ends {where}; fetch it again, or close the quote"
    )


READER = Reader(read_rows, column_names, recognises=lambda _: False, has_header=True)
