"""Rows of an Arrow batch as Python values, within the limit of a row's size."""

from collections.abc import Iterator
from contextlib import suppress

import pyarrow as pa

from tasks.sources.sources import Source
from tasks.stages.data.readers import limits, parquet_sizes
from tasks.stages.data.readers.rows import MalformedRow, Row

READ_ERRORS = (pa.ArrowInvalid, pa.ArrowNotImplementedError, OSError, UnicodeDecodeError)
"""Exceptions that pyarrow raises for a file that it cannot read."""
VALUE_ERRORS = (OverflowError, KeyError, ValueError)
"""Exceptions that, in addition to READ_ERRORS, pyarrow raises for a date or time that Python cannot represent, such as
one after the year 9999 or in an unknown time zone."""


def convert_batch(batch: pa.RecordBatch, done: int, source: Source) -> Iterator[Row | MalformedRow]:
    """Yield the rows of a batch. `done` is the number of rows of the source before it."""
    values = None
    if parquet_sizes.estimate_python_bytes(batch) <= source.max_row_bytes:
        with suppress(*VALUE_ERRORS):
            values = batch.to_pylist()
    for place in range(batch.num_rows):
        number = done + place + 1
        yield Row(number, values[place]) if values is not None else _convert_row(batch.slice(place, 1), number, source)


def _convert_row(row: pa.RecordBatch, number: int, source: Source) -> Row | MalformedRow:
    limits.check_row_size(parquet_sizes.estimate_python_bytes(row), f"row {number}", source)
    values = {}
    for name, column in zip(row.schema.names, row.columns, strict=True):
        try:
            values[name] = column[0].as_py()
        except READ_ERRORS:
            raise
        except VALUE_ERRORS:
            reason = f"column {name!r}: a value of type {column.type} is out of the range of dates and times"
            return MalformedRow(number, "out_of_range", reason)
    return Row(number, values)
