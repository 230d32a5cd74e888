"""Lookup of the reader for each kind of source, and the rows of a source.

Readers are imported at first use, because the import of pyarrow alone takes half a second.
"""

import importlib
from collections.abc import Iterator
from pathlib import Path
from typing import IO

from tasks.sources.sources import Source
from tasks.stages.data.readers.conversations import join_messages
from tasks.stages.data.readers.rows import MalformedRow, Reader, Row


def reader_of(kind: str) -> Reader:
    reader: Reader = importlib.import_module(f"tasks.stages.data.readers.formats.{kind}_reader").READER
    return reader


def read_rows(file: IO[bytes], source: Source, scratch: Path | None = None) -> Iterator[Row | MalformedRow]:
    """Yield the rows of a source: those of its reader, or the conversations to which its mapping joins them.

    Args:
        file: Unpacked content of the source.
        source: Declaration of the source.
        scratch: Folder for a temporary file of messages; None: the system's.

    Raises:
        InputError: The whole source is unusable.
    """
    rows, mapping = reader_of(source.kind).read(file, source), source.mapping.conversation
    return rows if mapping is None else join_messages(rows, source, mapping, scratch)
