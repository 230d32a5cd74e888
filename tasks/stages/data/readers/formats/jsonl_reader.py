"""Reader of JSON Lines, with one JSON object on each line."""

from collections.abc import Iterator
from contextlib import suppress
from json import JSONDecodeError
from typing import IO

from tasks.core.errors import InputError
from tasks.core.json_text import RefusedJson, parse, parse_strict
from tasks.sources.sources import Source
from tasks.stages.data.readers import delimiters
from tasks.stages.data.readers.columns import check_mapped_columns
from tasks.stages.data.readers.decoding import open_text, read_beginning, strip_encoding_bytes
from tasks.stages.data.readers.limits import check_column_count, check_row_count, read_limited_lines
from tasks.stages.data.readers.rows import MalformedRow, Reader, Row

MAX_KEY_LINES = 1_000
"""Maximum number of lines from which column names are collected."""


def read_rows(file: IO[bytes], source: Source) -> Iterator[Row | MalformedRow]:
    """Yield a row for each JSON object. Blank lines are skipped.

    A mapped field may be missing in some rows, but not in all of them.
    """
    content = open_text(file, source)
    for lines, line in enumerate(read_limited_lines(content, source), start=1):
        check_row_count(lines, source)
        if lines == 1:
            _check_form(line, source)
    content.seek(0)
    fields: dict[str, None] = {}
    number = 0
    for index, line in enumerate(read_limited_lines(content, source), start=1):
        if not line.strip():
            continue
        number += 1
        row = _parse_row(line, number, index, source)
        if isinstance(row, Row):
            fields.update(dict.fromkeys(row.values))
            check_column_count(len(fields), source)
        yield row
    if fields:
        check_mapped_columns(fields, source)


def _check_form(line: str, source: Source) -> None:
    where = f"source {source.id}: {source.location}"
    if source.mapping.mapped_columns() <= delimiters.header_names(line):
        raise InputError(f"{where} looks like CSV and not like JSON Lines; set `kind: csv` in sources.yaml")
    if line.lstrip("\ufeff").startswith("[") and not line.rstrip().endswith("]"):
        raise InputError(f"{where} looks like one JSON list; write one object a line, without brackets and commas")


def _parse_row(line: str, number: int, index: int, source: Source) -> Row | MalformedRow:
    try:
        value = parse_strict(line.replace("\0", ""))
    except RefusedJson as error:
        return MalformedRow(number, "not_json", f"line {index}: {error}")
    except ValueError as error:
        if not line.endswith(("\n", "\r")):
            raise InputError(
                f"source {source.id}: {source.location} is truncated: its last line ({index}) ends within an object; "
                "fetch it again"
            ) from None
        return MalformedRow(number, "not_json", f"line {index}: {_error_text(error)}")
    if not isinstance(value, dict):
        return MalformedRow(number, "not_object", f"line {index}: expected an object, got {type(value).__name__}")
    return Row(number, value)


def _error_text(error: ValueError) -> str:
    if isinstance(error, JSONDecodeError):
        return f"{error.msg} at character {error.colno}"
    return "a number of too many digits"


def column_names(file: IO[bytes], source: Source) -> list[str]:
    """Return the keys of the first objects. Lines that are not objects are left for the reader to report."""
    names: dict[str, None] = {}
    for line in read_beginning(file, source).splitlines()[:MAX_KEY_LINES]:
        with suppress(ValueError):
            value = parse(line)
            names.update(dict.fromkeys(value if isinstance(value, dict) else ()))
    if not names:  # the error of the reader describes the first line
        list(read_rows(file, source))
        raise InputError(f"{source.location}: no line of it is a JSON object; write one object a line")
    return list(names)


READER = Reader(read_rows, column_names, recognises=lambda head: strip_encoding_bytes(head)[:1] in (b"{", b"["))
