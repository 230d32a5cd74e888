"""Reader of a Hugging Face dataset on disk, as `save_to_disk` writes it or the Hub stores it.

If the folder has several splits, each row has the name of its split in column `split`, for `mapping: {split: split}`. A
number of a class (`ClassLabel`) is read as the name of the class.
"""

from collections.abc import Iterator
from dataclasses import replace
from typing import IO, Any

import pyarrow as pa
import pyarrow.parquet as pq

from tasks.core import json_text
from tasks.core.errors import DOCUMENT_ERRORS, InputError
from tasks.sources.sources import Source
from tasks.stages.data.readers import arrow_streams, limits
from tasks.stages.data.readers.dataset_folder import (
    MAX_JSON_PIECES,
    SUFFIXES,
    DatasetFolder,
    DatasetSplit,
    find_class_names,
)
from tasks.stages.data.readers.formats import parquet_reader
from tasks.stages.data.readers.rows import MalformedRow, Reader, Row

SPLIT_COLUMN = "split"
METADATA_KEY = b"huggingface"
UNKNOWN_CLASS = -1
"""Number that `datasets` writes for a class that nobody knows, as in a test split without labels."""


def read_rows(file: IO[bytes], source: Source) -> Iterator[Row | MalformedRow]:
    folder, done = DatasetFolder(file, source), 0
    for split in folder.splits():
        for name in split.files:
            described = split
            for place, row in enumerate(_read_file(folder, split, name, done, source)):
                if not place and name.endswith(".parquet"):
                    described = split._replace(class_names=_stored_class_names(folder.content(name)))
                done = row.number
                yield _complete_row(row, described, source) if isinstance(row, Row) else row


def _read_file(
    folder: DatasetFolder, split: DatasetSplit, name: str, done: int, source: Source
) -> Iterator[Row | MalformedRow]:
    content, stored = folder.content(name), _stored_columns(split, source)
    if not name.endswith(".parquet"):
        yield from arrow_streams.read_rows(content, name, done, stored)
        return
    for row in parquet_reader.read_rows(pa.BufferReader(content), stored):
        limits.check_row_count(done + row.number, source)
        yield replace(row, number=done + row.number)


def _stored_columns(split: DatasetSplit, source: Source) -> Source:
    """Return the source as it is declared, without the column that the reader adds."""
    if split.name is None or source.mapping.split != SPLIT_COLUMN:
        return source
    return source.model_copy(update={"mapping": source.mapping.model_copy(update={"split": None})})


def _stored_class_names(content: pa.Buffer) -> dict[str, list[str]]:
    """Return the names of classes that `datasets` put into the footer of a Parquet file, which was read before."""
    metadata = pq.ParquetFile(pa.BufferReader(content)).schema_arrow.metadata or {}
    try:
        described = json_text.parse_bounded(metadata.get(METADATA_KEY, b"{}"), MAX_JSON_PIECES)
        return find_class_names(described["info"])
    except DOCUMENT_ERRORS:
        return {}


def _complete_row(row: Row, split: DatasetSplit, source: Source) -> Row:
    values = dict(row.values)
    for column in values.keys() & split.class_names.keys():
        values[column] = _class_name(values[column], column, row.number, split, source)
    if split.name is not None and source.mapping.split == SPLIT_COLUMN:
        values[SPLIT_COLUMN] = split.name
    return Row(row.number, values)


def _class_name(value: Any, column: str, number: int, split: DatasetSplit, source: Source) -> Any:
    names = split.class_names[column]
    if not isinstance(value, int) or value == UNKNOWN_CLASS:
        return None if value == UNKNOWN_CLASS else value
    if not 0 <= value < len(names):
        raise InputError(
            f"source {source.id}: {source.location}: row {number} has class {value} in column {column!r}, and "
            f"dataset_info.json names {len(names):,} classes; fetch the folder again"
        )
    return names[value]


def column_names(file: IO[bytes], source: Source) -> list[str]:
    folder = DatasetFolder(file, source)
    split = next(folder.splits())
    own = [SPLIT_COLUMN] if split.name is not None else []
    for name in split.files[:1]:
        content = folder.content(name)
        if name.endswith(".parquet"):
            return [*parquet_reader.column_names(pa.BufferReader(content), source), *own]
        return [*arrow_streams.column_names(content, name, source), *own]
    return own


READER = Reader(read_rows, column_names, recognises=lambda head: False, is_text=False, suffixes=SUFFIXES)
