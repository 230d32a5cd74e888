"""Apache Parquet, read a batch of rows at a time and only the mapped columns."""

from collections.abc import Iterator

import pyarrow as pa
import pyarrow.parquet as pq

from tasks.data.readers.columns import check_columns
from tasks.data.readers.rows import Malformed, Row
from tasks.errors import InputError
from tasks.govern.sources import Source

BATCH = 10_000


def read(data: bytes, source: Source) -> Iterator[Row | Malformed]:
    """Rows as Python values by column. A Parquet row cannot be malformed; a damaged file is refused as a whole."""
    file = _opened(data, source)
    check_columns(file.schema_arrow.names, source)
    done = 0
    try:
        for batch in file.iter_batches(batch_size=BATCH, columns=sorted(source.mapping.columns())):
            for number, values in enumerate(batch.to_pylist(), start=done + 1):
                yield Row(number, values)
            done += batch.num_rows
    except (pa.ArrowInvalid, OSError, UnicodeDecodeError) as error:
        raise InputError(
            f"source {source.id}: {source.location} is damaged after row {done} ({_first_line(error)}); fetch it again"
        ) from None


def _opened(data: bytes, source: Source) -> pq.ParquetFile:
    where = f"source {source.id}: {source.location}"
    if not data:
        raise InputError(f"{where} is empty; expected at least one row")
    if data[:4] != b"PAR1":
        raise InputError(f"{where} is not a Parquet file: it does not begin with PAR1; correct `kind` or `location`")
    if data[-4:] != b"PAR1":
        raise InputError(f"{where} is truncated: it does not end with Parquet's footer; fetch it again")
    try:
        return pq.ParquetFile(pa.BufferReader(data))
    except (pa.ArrowInvalid, OSError) as error:
        raise InputError(f"{where} is a damaged Parquet file ({_first_line(error)}); fetch it again") from None


def _first_line(error: Exception) -> str:
    return str(error).splitlines()[0]
