"""Apache Parquet, read a batch of rows at a time and only the mapped columns."""

import os
import re
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
UNREADABLE = (pa.ArrowInvalid, pa.ArrowNotImplementedError, OSError, UnicodeDecodeError, OverflowError)
"""What pyarrow raises for a file that it cannot read; the last is a date of the year 10,000."""
UNSUPPORTED = re.compile(r"not (?:yet )?(?:supported|implemented)", re.IGNORECASE)
"""How it says in an OSError, as it raises for damage too, that there is no reader for something: for LZO, say."""


def read(file: IO[bytes], source: Source) -> Iterator[Row | Malformed]:
    """Rows as Python values by column. A Parquet row cannot be malformed: a damaged file is refused as a whole, and one
    that uses what cannot be read here."""
    opened, names = _opened(file, source)
    check_columns(names, source)
    _refuse_claims(opened, source)
    done = size = 0
    try:
        for batch in opened.iter_batches(batch_size=BATCH, columns=sorted(source.mapping.columns())):
            size += batch.nbytes
            refuse_more(size, source)
            for number, values in enumerate(batch.to_pylist(), start=done + 1):
                yield Row(number, values)
            done += batch.num_rows
    except UNREADABLE as error:
        raise _refused(error, source, f"is damaged after row {done}") from None


def _opened(file: IO[bytes], source: Source) -> tuple[pq.ParquetFile, list[str]]:
    """The file, and the names of its columns."""
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
        opened = pq.ParquetFile(file)
        return opened, opened.schema_arrow.names
    except UNREADABLE as error:
        raise _refused(error, source, "is a damaged Parquet file") from None


def _refuse_claims(opened: pq.ParquetFile, source: Source) -> None:
    """What the footer says of the mapped columns, before a buffer of that size is made for them."""
    wanted, footer = source.mapping.columns(), opened.metadata
    groups = (footer.row_group(number) for number in range(footer.num_row_groups))
    chunks = (group.column(number) for group in groups for number in range(group.num_columns))
    refuse_more(sum(c.total_uncompressed_size for c in chunks if c.path_in_schema.split(".")[0] in wanted), source)


def _refused(error: Exception, source: Source, damaged: str) -> InputError:
    """What cannot be read here is no damage, and fetching it again would not help."""
    where, why = f"source {source.id}: {source.location}", str(error).splitlines()[0]
    if isinstance(error, pa.ArrowNotImplementedError) or UNSUPPORTED.search(why):
        return InputError(
            f"{where} uses what cannot be read here ({why}); write it with another compression, such as zstd, or with "
            "flat columns"
        )
    return InputError(f"{where} {damaged} ({why}); fetch it again")
