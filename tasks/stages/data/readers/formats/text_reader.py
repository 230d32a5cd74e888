"""Reader of plain text: one row for each file, with its path as `document` and its content as `text`."""

from collections.abc import Iterator
from typing import IO

from tasks.sources.sources import Source
from tasks.stages.data.readers.columns import check_mapped_columns
from tasks.stages.data.readers.documents import Document, iter_documents, read_text
from tasks.stages.data.readers.rows import MalformedRow, Reader, Row

SUFFIXES = (".txt", ".text")
COLUMNS = ("document", "text")


def read_rows(file: IO[bytes], source: Source) -> Iterator[Row | MalformedRow]:
    for number, document in enumerate(iter_documents(file, source, SUFFIXES), start=1):
        check_mapped_columns(COLUMNS, source)
        yield _read_row(document, number, source)


def _read_row(document: Document, number: int, source: Source) -> Row | MalformedRow:
    text = read_text(document, number, source)
    return text if isinstance(text, MalformedRow) else Row(number, {"document": document.name, "text": text})


READER = Reader(read_rows, lambda file, source: COLUMNS, recognises=lambda head: False, suffixes=SUFFIXES)
