"""Reader of tables that a run's own code wrote, for use outside the sandbox, within bounds of memory and time."""

from collections.abc import Iterator, Sequence
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from tasks.core.errors import InputError
from tasks.stages.data.readers import parquet_pages, parquet_sizes

MAX_UNPACKED_BYTES = 2 << 30
"""Maximum size in bytes of the columns that are read. A text that occurs in several rows is counted once for each
row."""
MAX_BATCH_BYTES = 128 << 20
"""Maximum size in bytes of a batch."""
MEASURED_ROWS = 4096
"""Number of rows that are measured together."""


def read_bounded_batches(path: Path, columns: Sequence[str], rows: int) -> Iterator[pa.RecordBatch]:
    """Yield the rows of a table in batches of at most `rows` rows.

    Raises:
        InputError: The columns unpack to more than MAX_UNPACKED_BYTES, or a batch to more than MAX_BATCH_BYTES.
        ValueError: The file is damaged. pa.ArrowException and OSError are raised for damaged files too.
    """
    with pq.ParquetFile(path) as file:
        schema = pa.schema([file.schema_arrow.field(name) for name in columns])
    for batch in _read_dictionary_batches(path, columns, rows, MAX_UNPACKED_BYTES):
        _require_size(path, parquet_sizes.estimate_python_bytes(batch), MAX_BATCH_BYTES)
        arrays = [batch.column(field.name).cast(field.type) for field in schema]
        yield pa.RecordBatch.from_arrays(arrays, schema=schema)


def require_bounded(path: Path, max_bytes: int) -> None:
    """Refuse a table that unpacks to more than `max_bytes` bytes.

    Raises:
        InputError: The table unpacks to more.
        ValueError: The file is damaged. pa.ArrowException and OSError are raised for damaged files too.
    """
    with pq.ParquetFile(path) as file:
        columns = file.schema_arrow.names
    for _ in _read_dictionary_batches(path, columns, MEASURED_ROWS, max_bytes):
        pass


def _read_dictionary_batches(path: Path, columns: Sequence[str], rows: int, most: int) -> Iterator[pa.RecordBatch]:
    """Yield batches with dictionary-encoded texts, so that a repeated text is in memory only once."""
    size = 0
    with pq.ParquetFile(path) as file:
        texts = _check_page_sizes(path, file, columns, most)
    with pq.ParquetFile(path, read_dictionary=texts) as file:
        for group in range(file.num_row_groups):  # pyarrow makes no batch of nested dictionaries of two row groups
            for batch in file.iter_batches(batch_size=rows, row_groups=[group], columns=list(columns)):
                size += parquet_sizes.estimate_python_bytes(batch)
                _require_size(path, size, most)
                yield batch


def _check_page_sizes(path: Path, file: pq.ParquetFile, columns: Sequence[str], most: int) -> list[str]:
    """Check the sizes of all pages against the bounds, and return the names of the text columns."""
    starts = tuple(f"{name}." for name in columns)
    every = map(file.schema.column, range(file.metadata.num_columns))
    leaves = {place: leaf for place, leaf in enumerate(every) if f"{leaf.path}.".startswith(starts)}
    size = 0
    with path.open("rb") as data:
        for group in map(file.metadata.row_group, range(file.metadata.num_row_groups)):
            for place in leaves if group.num_rows else ():
                pages = parquet_pages.measure_pages(data, group.column(place))
                if pages.uses_deltas:
                    raise InputError(f"{path}: expected the encodings that Hallmark writes, got DELTA_BYTE_ARRAY")
                size += max(pages.unpacked, pages.value_count)
                _require_size(path, pages.largest_page, MAX_BATCH_BYTES)
                _require_size(path, size, most)
    return [leaf.path for leaf in leaves.values() if leaf.physical_type == "BYTE_ARRAY"]


def _require_size(path: Path, size: int, most: int) -> None:
    if size > most:
        raise InputError(f"{path} unpacks to {size:,} bytes or more, and {most:,} are read at once; it is not read")
