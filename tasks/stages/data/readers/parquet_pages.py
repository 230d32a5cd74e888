"""What the pages of a Parquet file unpack to, read from the header of each before anything is unpacked.

The footer says it too, but may lie, and knows nothing of single pages. A page is what counts: its dictionary or its
deltas can repeat a value for each row, so no row of a column without lists holds more than its largest page.

A header is Thrift's compact protocol, of which pages need little (parquet-format: src/main/thrift/parquet.thrift,
PageHeader; thrift: doc/specs/thrift-compact-protocol.md).
"""

import os
from dataclasses import dataclass
from typing import IO, Any

import pyarrow.parquet as pq

UNPACKED, PACKED, V1, V2 = 2, 3, 5, 8
"""Fields of PageHeader: sizes with and without compression, and what is said of a data page of either version."""
VALUES = 1
"""Of a data page's own header."""
ENCODING = {V1: 2, V2: 4}
DELTA_BYTE_ARRAY = 7
"""The encoding in which a value is written as how much of the last one it begins with, and the rest."""
TRUE, FALSE, BYTE, I16, I32, I64, DOUBLE, BINARY, STRUCT = 1, 2, 3, 4, 5, 6, 7, 8, 12
"""Kinds of fields."""
LARGEST = 1 << 32
"""Bytes of a text, more than any page has."""
LONGEST = 10
"""Bytes of a number of 64 bits, seven bits a byte."""
DEEPEST = 8
"""Structures within each other; a page header has three."""


@dataclass(frozen=True)
class Pages:
    """The pages of one column in one row group."""

    unpacked: int = 0
    """Bytes of all of them."""
    largest: int = 0
    """Bytes of the largest, or of all where they are written in deltas, which go on over several."""
    values: int = 0
    """Nulls and the items of lists count."""
    deltas: bool = False
    """Whether any is written in deltas of texts."""


def of_chunk(file: IO[bytes], chunk: pq.ColumnChunkMetaData) -> Pages:
    """The pages where pyarrow looks for them. Raises ValueError where there are none."""
    place = chunk.data_page_offset
    if chunk.has_dictionary_page and 0 < chunk.dictionary_page_offset < place:
        place = chunk.dictionary_page_offset
    end, pages = place + chunk.total_compressed_size, Pages()
    while place < end:
        file.seek(place)
        header = _struct(file)
        pages = _with(pages, header)
        place = file.tell() + _count(header, PACKED)
    return pages


def _with(pages: Pages, header: dict[int, Any]) -> Pages:
    data = next((version for version in (V1, V2) if version in header), None)
    values, deltas = 0, pages.deltas
    if data:
        own = header[data] if isinstance(header[data], dict) else {}
        values, deltas = _count(own, VALUES), deltas or own.get(ENCODING[data]) == DELTA_BYTE_ARRAY
    unpacked = pages.unpacked + _count(header, UNPACKED)
    largest = unpacked if deltas else max(pages.largest, header[UNPACKED])
    return Pages(unpacked, largest, pages.values + values, deltas)


def _count(fields: dict[int, Any], number: int) -> int:
    """Raises ValueError where a field is not there, or is less than nothing."""
    count = fields.get(number)
    if not isinstance(count, int) or count < 0:
        raise ValueError("a page header without its sizes")
    return count


def _struct(file: IO[bytes], depth: int = 0) -> dict[int, Any]:
    """Its numbers and structures by field."""
    if depth > DEEPEST:
        raise ValueError("a page header nested too deep")
    fields: dict[int, Any] = {}
    number = 0
    while head := _byte(file):
        number = number + (head >> 4) if head >> 4 else _signed(file)
        fields[number] = _value(file, head & 15, depth)
    return fields


def _value(file: IO[bytes], kind: int, depth: int) -> Any:
    if kind in (TRUE, FALSE):
        return kind == TRUE
    if kind == BYTE:
        return _byte(file)
    if kind in (I16, I32, I64):
        return _signed(file)
    if kind in (DOUBLE, BINARY):
        file.seek(8 if kind == DOUBLE else _number(file) % LARGEST, os.SEEK_CUR)
        return None
    if kind == STRUCT:
        return _struct(file, depth + 1)
    raise ValueError(f"a page header with a field of kind {kind}")


def _signed(file: IO[bytes]) -> int:
    number = _number(file)
    return (number >> 1) ^ -(number & 1)


def _number(file: IO[bytes]) -> int:
    number = 0
    for place in range(LONGEST):
        byte = _byte(file)
        number |= (byte & 127) << 7 * place
        if byte < 128:
            return number
    raise ValueError("a page header with an endless number")


def _byte(file: IO[bytes]) -> int:
    byte = file.read(1)
    if not byte:
        raise ValueError("a page header behind the end of the file")
    return byte[0]
