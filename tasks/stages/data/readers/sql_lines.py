"""Rows of a database as JSON Lines, of which the digest of a source is taken.

The same rows give the same bytes: each line has the columns in the order of the query. JSON has fewer types than a
database. Dates and times become text in ISO 8601, exact decimals text with all their digits, and UUIDs and network
addresses text.
"""

import ipaddress
import json
import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import date, datetime, time
from decimal import Decimal
from typing import Any
from uuid import UUID

from tasks.core import json_text
from tasks.core.errors import InputError
from tasks.sources.sources import Source
from tasks.stages.data.readers import limits

TEXT_OF: dict[type, Callable[[Any], str]] = {
    Decimal: lambda value: format(value, "f"),
    datetime: datetime.isoformat,
    date: date.isoformat,
    time: time.isoformat,
    **dict.fromkeys(
        (UUID, ipaddress.IPv4Address, ipaddress.IPv6Address, ipaddress.IPv4Network, ipaddress.IPv6Network), str
    ),
}
"""Function that turns a value into text, by the value's type."""


NO_NUMBERS = {"nan": "NaN", "inf": "Infinity", "-inf": "-Infinity"}
"""Names that databases have for floats that are no JSON numbers."""


class JsonText(str):
    """Text of a JSON value, which a database returned as such."""


class _NoJson(Exception):
    """Raised for a value that JSON cannot hold."""


def write_lines(rows: Iterable[Sequence[Any]], columns: Sequence[str], source: Source) -> Iterator[bytes]:
    """Yield a line for each row.

    Raises:
        InputError: The rows exceed a limit of the source, or a value cannot be written.
    """
    for number, row in enumerate(rows, start=1):
        limits.check_row_count(number, source)
        values = {name: _plain(value, name, number, source) for name, value in zip(columns, row, strict=True)}
        line = json.dumps(values, ensure_ascii=False, separators=(",", ":"))
        if json_text.SURROGATE_PATTERN.search(line):
            line = json.dumps(values, separators=(",", ":"))
        limits.check_row_size(len(line), f"row {number}", source)
        yield line.encode() + b"\n"


def check_columns(names: Sequence[str], source: Source) -> None:
    """Raise InputError if two columns of the query have the same name, or if there are too many."""
    limits.check_column_count(len(names), source)
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise InputError(
            f"source {source.id}: `query` has more than one column {', '.join(map(repr, twice))}; name each with AS"
        )


def _plain(value: Any, column: str, number: int, source: Source) -> Any:
    try:
        return _to_json(value)
    except (_NoJson, ValueError, RecursionError) as error:
        kind = "bytes" if isinstance(value, bytes | bytearray) else type(value).__name__
        why = str(error) if isinstance(error, _NoJson) else "it is no JSON, or nested too deep"
        raise InputError(
            f"source {source.id}: {source.location}: row {number}: column {column!r} has a value of type {kind} that "
            f"is not read ({why}); leave it out of `query`, or write it as text: CAST(… AS text)"
        ) from None


def _to_json(value: Any) -> Any:
    if isinstance(value, JsonText):
        return _parse_json(value)
    if value is None or isinstance(value, bool | int | str):
        return value
    if isinstance(value, float):
        return value if math.isfinite(value) else NO_NUMBERS[str(value)]
    if isinstance(value, list):
        return [_to_json(each) for each in value]
    if to_text := TEXT_OF.get(type(value)):
        return to_text(value)
    raise _NoJson("a source has text, numbers, dates, times and JSON")


def _parse_json(text: str) -> Any:
    value = json_text.parse_shallow(text)
    json.dumps(value, allow_nan=False)  # a number beyond the range of a float is read as infinity
    return value


def timeout_error(source: Source) -> InputError:
    return InputError(
        f"source {source.id}: {source.location}: `query` takes longer than query_seconds allows, "
        f"{source.query_seconds:,}; ask for fewer rows, have an index made for it, or raise the limit in sources.yaml"
    )
