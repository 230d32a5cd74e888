"""Lookup of the reader for each kind of source.

Readers are imported at first use, because the import of pyarrow alone takes half a second.
"""

import importlib

from tasks.stages.data.readers.rows import Reader


def reader_of(kind: str) -> Reader:
    reader: Reader = importlib.import_module(f"tasks.stages.data.readers.formats.{kind}_reader").READER
    return reader
