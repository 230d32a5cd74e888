"""Unpacked sizes of the pages of a Parquet file, read from the page headers before anything is unpacked.

The sizes in the footer may be wrong, and there are none for single pages. The size of the largest page matters, because
a dictionary or deltas can repeat a large value in every row. In a column without lists, no row is larger than the
column's largest page.

Page headers are written in a small part of Thrift's compact protocol (parquet-format: src/main/thrift/parquet.thrift,
PageHeader; thrift: doc/specs/thrift-compact-protocol.md).
"""

import os
from dataclasses import dataclass
from typing import IO, Any

import pyarrow.parquet as pq

UNPACKED_SIZE_FIELD, PACKED_SIZE_FIELD, DATA_PAGE_V1_FIELD, DATA_PAGE_V2_FIELD = 2, 3, 5, 8
"""Field numbers of Parquet's PageHeader: uncompressed size, compressed size, and the data page headers of versions 1
and 2."""
VALUES_FIELD = 1
ENCODING_FIELD = {DATA_PAGE_V1_FIELD: 2, DATA_PAGE_V2_FIELD: 4}
DELTA_BYTE_ARRAY = 7
"""Number of the encoding that stores each value as a suffix and the length of the prefix that it shares with the
previous value."""
TRUE, FALSE, BYTE, I16, I32, I64, DOUBLE, BINARY, STRUCT = 1, 2, 3, 4, 5, 6, 7, 8, 12
"""Type codes of fields in Thrift's compact protocol."""
MAX_BINARY_BYTES = 1 << 32
"""Upper bound of the length of a binary field in bytes. No page is that long."""
MAX_VARINT_BYTES = 10
"""Maximum length in bytes of a 64-bit varint, which stores seven bits in each byte."""
MAX_STRUCT_DEPTH = 8
"""Maximum depth of nested structures; a page header has three levels."""


@dataclass(frozen=True)
class PageSizes:
    unpacked: int = 0
    largest_page: int = 0
    """Unpacked size of the largest page in bytes. If pages use deltas, which continue across pages, it is the size
    of all pages."""
    value_count: int = 0
    """Number of values, including nulls and the items of lists."""
    uses_deltas: bool = False


def measure_pages(file: IO[bytes], chunk: pq.ColumnChunkMetaData) -> PageSizes:
    """Return the sizes of the pages of a column chunk, read at the offsets that pyarrow uses.

    Raises:
        ValueError: There is no valid page header at an offset.
    """
    place = chunk.data_page_offset
    if chunk.has_dictionary_page and 0 < chunk.dictionary_page_offset < place:
        place = chunk.dictionary_page_offset
    end, pages = place + chunk.total_compressed_size, PageSizes()
    while place < end:
        file.seek(place)
        header = _read_struct(file)
        pages = _add_page(pages, header)
        place = file.tell() + _read_count(header, PACKED_SIZE_FIELD)
    return pages


def _add_page(pages: PageSizes, header: dict[int, Any]) -> PageSizes:
    data = next((version for version in (DATA_PAGE_V1_FIELD, DATA_PAGE_V2_FIELD) if version in header), None)
    values, deltas = 0, pages.uses_deltas
    if data:
        own = header[data] if isinstance(header[data], dict) else {}
        values, deltas = _read_count(own, VALUES_FIELD), deltas or own.get(ENCODING_FIELD[data]) == DELTA_BYTE_ARRAY
    unpacked = pages.unpacked + _read_count(header, UNPACKED_SIZE_FIELD)
    largest = unpacked if deltas else max(pages.largest_page, header[UNPACKED_SIZE_FIELD])
    return PageSizes(unpacked, largest, pages.value_count + values, deltas)


def _read_count(fields: dict[int, Any], number: int) -> int:
    count = fields.get(number)
    if not isinstance(count, int) or count < 0:
        raise ValueError("a page header without its sizes")
    return count


def _read_struct(file: IO[bytes], depth: int = 0) -> dict[int, Any]:
    if depth > MAX_STRUCT_DEPTH:
        raise ValueError("a page header nested too deep")
    fields: dict[int, Any] = {}
    number = 0
    while head := _read_byte(file):
        number = number + (head >> 4) if head >> 4 else _read_signed_varint(file)
        fields[number] = _read_value(file, head & 15, depth)
    return fields


def _read_value(file: IO[bytes], kind: int, depth: int) -> Any:
    if kind in (TRUE, FALSE):
        return kind == TRUE
    if kind == BYTE:
        return _read_byte(file)
    if kind in (I16, I32, I64):
        return _read_signed_varint(file)
    if kind in (DOUBLE, BINARY):
        file.seek(8 if kind == DOUBLE else _read_varint(file) % MAX_BINARY_BYTES, os.SEEK_CUR)
        return None
    if kind == STRUCT:
        return _read_struct(file, depth + 1)
    raise ValueError(f"a page header with a field of kind {kind}")


def _read_signed_varint(file: IO[bytes]) -> int:
    number = _read_varint(file)
    return (number >> 1) ^ -(number & 1)


def _read_varint(file: IO[bytes]) -> int:
    number = 0
    for place in range(MAX_VARINT_BYTES):
        byte = _read_byte(file)
        number |= (byte & 127) << 7 * place
        if byte < 128:
            return number
    raise ValueError("a page header with an endless number")


def _read_byte(file: IO[bytes]) -> int:
    byte = file.read(1)
    if not byte:
        raise ValueError("a page header behind the end of the file")
    return byte[0]
