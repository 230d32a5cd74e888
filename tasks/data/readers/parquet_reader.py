"""Apache Parquet, read a batch of rows at a time and only the mapped columns."""

import os
from collections.abc import Iterator
from typing import IO

import pyarrow as pa
import pyarrow.parquet as pq

from tasks.data.readers.columns import check_columns
from tasks.data.readers.gzipped import refuse_more
from tasks.data.readers.rows import Malformed, Row
from tasks.errors import InputError
from tasks.govern.sources import Source

MAGIC = b"PAR1"
BATCH = 1_000
"""Rows decoded together: a dictionary can make many large texts of few bytes, so a batch is what counts in memory."""


def read(file: IO[bytes], source: Source) -> Iterator[Row | Malformed]:
    """Rows as Python values by column. A Parquet row cannot be malformed; a damaged file is refused as a whole."""
    opened = _opened(file, source)
    check_columns(opened.schema_arrow.names, source)
    _refuse_claims(opened, source)
    done = size = 0
    try:
        for batch in opened.iter_batches(batch_size=BATCH, columns=sorted(source.mapping.columns())):
            size += batch.nbytes
            refuse_more(size, source)
            for number, values in enumerate(batch.to_pylist(), start=done + 1):
                yield Row(number, values)
            done += batch.num_rows
    except (pa.ArrowInvalid, OSError, UnicodeDecodeError, OverflowError) as error:  # the last: a date of year 10,000
        raise InputError(
            f"source {source.id}: {source.location} is damaged after row {done} ({_first_line(error)}); fetch it again"
        ) from None


def _opened(file: IO[bytes], source: Source) -> pq.ParquetFile:
    where = f"source {source.id}: {source.location}"
    begin, end = file.read(len(MAGIC)), file.seek(0, os.SEEK_END)
    if not end:
        raise InputError(f"{where} is empty; expected at least one row")
    if begin != MAGIC:
        raise InputError(f"{where} is not a Parquet file: it does not begin with PAR1; correct `kind` or `location`")
    file.seek(end - len(MAGIC))
    if file.read() != MAGIC:
        raise InputError(f"{where} is truncated: it does not end with Parquet's footer; fetch it again")
    try:
        return pq.ParquetFile(file)
    except (pa.ArrowInvalid, OSError) as error:
        raise InputError(f"{where} is a damaged Parquet file ({_first_line(error)}); fetch it again") from None


def _refuse_claims(opened: pq.ParquetFile, source: Source) -> None:
    """What the footer says of the mapped columns, before a buffer of that size is made for them."""
    wanted, footer = source.mapping.columns(), opened.metadata
    groups = (footer.row_group(number) for number in range(footer.num_row_groups))
    chunks = (group.column(number) for group in groups for number in range(group.num_columns))
    refuse_more(sum(c.total_uncompressed_size for c in chunks if c.path_in_schema.split(".")[0] in wanted), source)


def _first_line(error: Exception) -> str:
    return str(error).splitlines()[0]
