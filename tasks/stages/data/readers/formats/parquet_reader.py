"""Reader of Apache Parquet. It decodes one batch of rows at a time, and only the mapped columns.

Footer and pages are compared with the source's limits before anything is unpacked (`parquet_pages`). Batches are
compared with the limits before they become Python values (`parquet_sizes`).
"""

import os
import re
from collections.abc import Iterator
from typing import IO

import pyarrow as pa
import pyarrow.parquet as pq

from tasks.core.errors import InputError
from tasks.sources.sources import Source
from tasks.stages.data.readers import arrow_rows, limits, parquet_pages, parquet_sizes
from tasks.stages.data.readers.arrow_rows import READ_ERRORS
from tasks.stages.data.readers.columns import check_columns
from tasks.stages.data.readers.parquet_pages import PageSizes
from tasks.stages.data.readers.rows import MalformedRow, Reader, Row

PARQUET_MAGIC = b"PAR1"
MAX_BATCH_ROWS = 1_000
"""Maximum number of rows decoded at a time. Fewer rows are decoded if pages are large."""
MAX_BATCH_BYTES = 128 << 20
"""Maximum size of a batch in bytes, assuming that every row is as large as the largest page."""
MAX_PAGE_BYTES = 128 << 20
"""Maximum uncompressed size of a page in bytes. Most writers use pages of 1 MiB; those of DuckDB can reach 100 MB."""
MAX_FOOTER_BYTES = 32 << 20
"""Maximum size of a footer in bytes. pyarrow needs 17 times as much memory. For a footer of 20 MB with 100,000 columns,
it needs 335 MB and a second."""
UNSUPPORTED_MESSAGE = re.compile(r"not (?:yet )?(?:supported|implemented)", re.IGNORECASE)
"""Pattern of pyarrow's error message for an unsupported feature, such as LZO. pyarrow raises OSError for damaged
files too."""


def read_rows(file: IO[bytes], source: Source) -> Iterator[Row | MalformedRow]:
    """Yield the rows of a Parquet file as Python values.

    A row is malformed if it has a date or time that Python cannot represent. A file that is damaged, or that uses an
    unsupported feature, is refused as a whole.
    """
    opened = _open_parquet(file, source)
    leaves = _mapped_leaves(opened, source)
    batch_rows = _batch_size(file, opened.metadata, leaves, source)
    # A list has any number of values, so texts in lists stay in a dictionary and are measured before they are repeated.
    texts = [leaf.path for leaf in leaves.values() if leaf.max_repetition_level and leaf.physical_type == "BYTE_ARRAY"]
    opened = pq.ParquetFile(file, read_dictionary=texts)
    done = size = 0
    try:
        for batch in opened.iter_batches(batch_size=batch_rows, columns=sorted(source.mapping.mapped_columns())):
            size += parquet_sizes.estimate_python_bytes(batch)
            limits.check_unpacked_size(size, source)
            limits.check_row_count(done + batch.num_rows, source)
            yield from arrow_rows.convert_batch(batch, done, source)
            done += batch.num_rows
    except READ_ERRORS as error:
        raise _unreadable_error(error, source, f"is damaged after row {done}") from None


def _open_parquet(file: IO[bytes], source: Source) -> pq.ParquetFile:
    where = f"source {source.id}: {source.location}"
    begin, end = file.read(len(PARQUET_MAGIC)), file.seek(0, os.SEEK_END)
    if not end:
        raise InputError(f"{where} is empty; expected at least one row")
    if begin != PARQUET_MAGIC:
        raise InputError(f"{where} is not a Parquet file: it does not begin with PAR1; correct `kind` or `location`")
    file.seek(max(0, end - 4 - len(PARQUET_MAGIC)))
    footer, magic = int.from_bytes(file.read(4), "little"), file.read()
    if magic != PARQUET_MAGIC:
        raise InputError(f"{where} is truncated: it does not end with Parquet's footer; fetch it again")
    if footer > MAX_FOOTER_BYTES:
        raise InputError(
            f"{where} has a footer of {footer:,} bytes, and {MAX_FOOTER_BYTES:,} are read; write it with fewer columns "
            "or row groups"
        )
    try:
        opened = pq.ParquetFile(file)
        limits.check_column_count(opened.metadata.num_columns, source)
        check_columns(opened.schema_arrow.names, source)
    except READ_ERRORS as error:
        raise _unreadable_error(error, source, "is a damaged Parquet file") from None
    limits.check_row_count(opened.metadata.num_rows, source)
    return opened


def _mapped_leaves(opened: pq.ParquetFile, source: Source) -> dict[int, pq.ColumnSchema]:
    starts = tuple(f"{name}." for name in source.mapping.mapped_columns())  # a name may contain a dot itself
    every = map(opened.schema.column, range(opened.metadata.num_columns))
    return {number: leaf for number, leaf in enumerate(every) if f"{leaf.path}.".startswith(starts)}


def _batch_size(file: IO[bytes], footer: pq.FileMetaData, leaves: dict[int, pq.ColumnSchema], source: Source) -> int:
    size, largest = 0, dict.fromkeys(leaves, 0)
    for group in map(footer.row_group, range(footer.num_row_groups)):
        if not group.num_rows:  # nothing of it is read, and its columns may have no pages
            continue
        for number, leaf in leaves.items():
            pages = _measure_pages(file, group.column(number), leaf, source)
            size += pages.unpacked
            limits.check_unpacked_size(max(size, pages.value_count * parquet_sizes.VALUE_OVERHEAD_BYTES), source)
            largest[number] = max(largest[number], pages.largest_page)
    most = max(largest.values(), default=0)
    if most > MAX_PAGE_BYTES:
        raise InputError(
            f"source {source.id}: {source.location} has a page that unpacks to {most:,} bytes, and {MAX_PAGE_BYTES:,} "
            "are read; write it anew with pages of the usual size, 1 MiB"
        )
    return max(1, min(MAX_BATCH_ROWS, MAX_BATCH_BYTES // (sum(largest.values()) or 1)))


def _measure_pages(file: IO[bytes], chunk: pq.ColumnChunkMetaData, leaf: pq.ColumnSchema, source: Source) -> PageSizes:
    try:
        pages = parquet_pages.measure_pages(file, chunk)
    except ValueError as error:
        raise _unreadable_error(error, source, "is damaged") from None
    if pages.uses_deltas and leaf.max_repetition_level:
        raise _unreadable_error(pa.ArrowNotImplementedError("DELTA_BYTE_ARRAY within lists"), source, "")
    return pages


def _unreadable_error(error: Exception, source: Source, damaged: str) -> InputError:
    where, why = f"source {source.id}: {source.location}", str(error).splitlines()[0]
    if isinstance(error, pa.ArrowNotImplementedError) or UNSUPPORTED_MESSAGE.search(why):
        return InputError(
            f"{where} uses what cannot be read here ({why}); write it with another compression, such as zstd, or with "
            "flat columns"
        )
    return InputError(f"{where} {damaged} ({why}); fetch it again")


def column_names(file: IO[bytes], source: Source) -> list[str]:
    try:
        return list(pq.ParquetFile(file).schema_arrow.names)
    except Exception:  # for a damaged file, the reader has a clearer error than pyarrow
        file.seek(0)
        list(read_rows(file, source))
        raise


READER = Reader(read_rows, column_names, recognises=lambda head: head.startswith(PARQUET_MAGIC), is_text=False)
