"""Reader of the rows of a database, which were written as JSON Lines (`sql_lines`) when the source was opened."""

from collections.abc import Iterator
from typing import IO

from tasks.core.errors import InputError
from tasks.sources.sources import Source
from tasks.stages.data.readers.formats import jsonl_reader
from tasks.stages.data.readers.rows import MalformedRow, Reader, Row


def read_rows(file: IO[bytes], source: Source) -> Iterator[Row | MalformedRow]:
    if not file.read(1):
        raise InputError(f"source {source.id}: {source.location}: `query` returned no rows; expected at least one")
    file.seek(0)
    yield from jsonl_reader.read_rows(file, source.model_copy(update={"encoding": "utf-8"}))


READER = Reader(read_rows, jsonl_reader.column_names, recognises=lambda head: False)
