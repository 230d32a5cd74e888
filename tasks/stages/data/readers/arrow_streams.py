"""Reader of streams in Arrow's IPC format, which checks each message before pyarrow reads it.

pyarrow unpacks compressed buffers to any size that they state, and takes a stream that ends too early for a complete
one. So the heads of all messages are read first, from the few fields of their flatbuffers that matter (Arrow:
format/Message.fbs; flatbuffers: docs/source/internals.md). Batches are checked completely before a value of them is
used, because pyarrow believes offsets.
"""

import struct
from collections.abc import Callable, Iterator

import pyarrow as pa
from pyarrow import types

from tasks.core.errors import InputError
from tasks.sources.sources import Source
from tasks.stages.data.readers import arrow_rows, limits, parquet_sizes
from tasks.stages.data.readers.columns import check_columns
from tasks.stages.data.readers.rows import MalformedRow, Row

CONTINUATION = 0xFFFFFFFF
PREFIX = struct.Struct("<Ii")
"""Beginning of a message: CONTINUATION, and the size of its metadata in bytes, which is 0 at the end of the stream."""
MAX_METADATA_BYTES = 32 << 20
"""Maximum size of a message's metadata in bytes, as of a Parquet footer."""
MAX_BATCH_ROWS = 1_000
"""Maximum number of rows that become Python values at a time."""
HEADER_KIND_FIELD, HEADER_FIELD, BODY_SIZE_FIELD = 1, 2, 3
"""Numbers of fields of a Message."""
DICTIONARY_KIND, BATCH_KIND = 2, 3
"""Kinds of headers of a Message: DictionaryBatch and RecordBatch."""
DICTIONARY_DATA_FIELD, ROWS_FIELD, COMPRESSION_FIELD = 1, 0, 3
"""Number of the RecordBatch in a DictionaryBatch, and numbers of fields of a RecordBatch."""
PLAIN_TYPES: tuple[Callable[[pa.DataType], bool], ...] = (
    types.is_null, types.is_boolean, types.is_integer, types.is_floating, types.is_decimal, types.is_temporal,
    types.is_string, types.is_large_string, types.is_binary, types.is_large_binary, types.is_fixed_size_binary,
)  # fmt: skip
LIST_TYPES = (types.is_list, types.is_large_list, types.is_fixed_size_list)
READ_ERRORS = (*arrow_rows.READ_ERRORS, pa.ArrowException, struct.error, ValueError)
"""Exceptions for a damaged stream, of pyarrow and of the checks before it."""


def read_rows(data: pa.Buffer, name: str, done: int, source: Source) -> Iterator[Row | MalformedRow]:
    """Yield the rows of a stream, of which only mapped columns are read.

    Args:
        data: Bytes of the stream.
        name: Name of the stream's file in error messages.
        done: Number of rows of the source before the stream.
        source: Source of the stream.

    Raises:
        InputError: The stream is damaged, exceeds a limit, or has a type that is not read.
    """
    where, size = _display_name(name, source), 0
    try:
        _check_messages(memoryview(data), done, source)
        for batch in _open_batches(data, where, source):
            batch.validate(full=True)
            for start in range(0, batch.num_rows, MAX_BATCH_ROWS):
                part = batch.slice(start, MAX_BATCH_ROWS)
                size += parquet_sizes.estimate_python_bytes(part)
                limits.check_unpacked_size(size, source)
                yield from arrow_rows.convert_batch(part, done, source)
                done += part.num_rows
    except READ_ERRORS as error:
        raise _explain_error(error, where) from None


def column_names(data: pa.Buffer, name: str, source: Source) -> list[str]:
    """Return the names of a stream's columns, from its first message.

    Raises:
        InputError: The stream is damaged.
    """
    try:
        _read_prefix(memoryview(data), 0)
        return list(pa.ipc.open_stream(pa.BufferReader(data)).schema.names)
    except READ_ERRORS as error:
        raise _explain_error(error, _display_name(name, source)) from None


def _display_name(name: str, source: Source) -> str:
    return f"source {source.id}: {source.location}: {name!r}"


def _explain_error(error: Exception, where: str) -> InputError:
    why = str(error).partition("\n")[0] if isinstance(error, _DamagedStream) else type(error).__name__
    return InputError(f"{where} is a damaged Arrow stream ({why}); fetch it again")


class _DamagedStream(ValueError):
    pass


def _open_batches(data: pa.Buffer, where: str, source: Source) -> Iterator[pa.RecordBatch]:
    schema = pa.ipc.open_stream(pa.BufferReader(data)).schema
    limits.check_column_count(sum(map(_count_parts, schema.types)), source)
    check_columns(schema.names, source)
    mapped = [place for place, name in enumerate(schema.names) if name in source.mapping.mapped_columns()]
    for field in map(schema.field, mapped):
        if not _is_read(field.type):
            raise InputError(
                f"{where}: column {field.name!r} is of type {field.type}, which is not read; write it as text, "
                "numbers, dates, or lists and structs of them"
            )
    options = pa.ipc.IpcReadOptions(included_fields=mapped, use_threads=False)
    for batch in pa.ipc.open_stream(pa.BufferReader(data), options=options):
        columns = [each.storage if isinstance(each, pa.ExtensionArray) else each for each in batch.columns]
        yield pa.RecordBatch.from_arrays(columns, names=batch.schema.names)


def _count_parts(kind: pa.DataType) -> int:
    if isinstance(kind, pa.ExtensionType):
        return _count_parts(kind.storage_type)
    return sum(_count_parts(kind.field(place).type) for place in range(kind.num_fields)) or 1


def _is_read(kind: pa.DataType) -> bool:
    """Return whether `parquet_sizes` can tell what values of this type need in memory.

    It cannot if a value may refer to the bytes of others, as in views and run-end encoded arrays.
    """
    if isinstance(kind, pa.ExtensionType):
        return _is_read(kind.storage_type) and not types.is_nested(kind.storage_type)
    if types.is_dictionary(kind):
        return bool(types.is_string(kind.value_type) or types.is_large_string(kind.value_type))
    if any(is_kind(kind) for is_kind in LIST_TYPES):
        return _is_read(kind.value_type)
    if types.is_struct(kind):
        return all(_is_read(kind.field(place).type) for place in range(kind.num_fields))
    if types.is_map(kind):
        return _is_read(kind.key_type) and _is_read(kind.item_type)
    return any(is_kind(kind) for is_kind in PLAIN_TYPES)


def _check_messages(data: memoryview, rows: int, source: Source) -> None:
    place = 0
    while size := _read_prefix(data, place):
        place += PREFIX.size + size
        body, row_count = _read_head(data[place - size : place])
        rows += row_count
        limits.check_row_count(rows, source)
        place += body


def _read_prefix(data: memoryview, place: int) -> int:
    """Return the size in bytes of the metadata of the message at `place`; 0 at the end of the stream."""
    if place + PREFIX.size > len(data):
        raise _DamagedStream("it does not end with the end of a stream")
    mark, size = PREFIX.unpack_from(data, place)
    if mark != CONTINUATION:
        raise _DamagedStream("a message does not begin where one should")
    if not 0 <= size <= MAX_METADATA_BYTES:
        raise _DamagedStream(f"a message with {size:,} bytes of metadata, and {MAX_METADATA_BYTES:,} are read")
    return int(size)


def _read_head(metadata: memoryview) -> tuple[int, int]:
    """Return the size of a message's body in bytes, and the number of its rows."""
    message = _follow(metadata, 0)
    kind = metadata[_field(metadata, message, HEADER_KIND_FIELD, 1)]
    body_place = _find_field(metadata, message, BODY_SIZE_FIELD)
    body = struct.unpack_from("<q", metadata, body_place)[0] if body_place else 0
    if body < 0:
        raise _DamagedStream("a message with a body of negative size")
    if kind not in (DICTIONARY_KIND, BATCH_KIND):
        return body, 0
    header = _follow(metadata, _field(metadata, message, HEADER_FIELD, 4))
    if kind == DICTIONARY_KIND:
        header = _follow(metadata, _field(metadata, header, DICTIONARY_DATA_FIELD, 4))
    if _find_field(metadata, header, COMPRESSION_FIELD):
        raise _DamagedStream("it is compressed, which save_to_disk does not do; write it anew")
    rows_place = _find_field(metadata, header, ROWS_FIELD)
    rows = struct.unpack_from("<q", metadata, rows_place)[0] if rows_place and kind == BATCH_KIND else 0
    return body, max(0, rows)


def _follow(data: memoryview, place: int) -> int:
    """Return the place to which the offset at `place` leads."""
    return place + int(struct.unpack_from("<I", data, place)[0])


def _field(data: memoryview, table: int, number: int, size: int) -> int:
    place = _find_field(data, table, number)
    if not place or place + size > len(data):
        raise _DamagedStream("a message without its header")
    return place


def _find_field(data: memoryview, table: int, number: int) -> int:
    """Return the place of a field of a table, or 0 if the table does not have it."""
    entries = table - struct.unpack_from("<i", data, table)[0]
    if not 0 <= entries < len(data):
        raise _DamagedStream("a message with a field outside it")
    entry = 4 + 2 * number
    if entry + 2 > struct.unpack_from("<H", data, entries)[0]:
        return 0
    offset = struct.unpack_from("<H", data, entries + entry)[0]
    return table + int(offset) if offset else 0
