"""Bytes of a file, and of what it packs: Parquet, gzip, bzip2, xz, Zstandard, ZIP and tar, SQLite rows, Base64, UTF-16.

What cannot be unpacked is reported, since nothing was searched there.
"""

import base64
import codecs
import io
import lzma
import re
import sqlite3
import struct
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from tasks.erase.search_terms import LONGEST_TERM
from tasks.stages.data.readers.documents import is_archive

BLOCK_BYTES = 16 << 20
MAX_DEPTH = 3
"""Maximum depth of files that are packed in one another."""
MAX_MEMBER_BYTES = 1 << 30
"""Maximum number of bytes that are unpacked from one ZIP member, since a small file may unpack to any size."""
BASE64 = re.compile(rb"[A-Za-z0-9+/_-]{40,}(?:\r?\n[A-Za-z0-9+/_-]+)*")
"""Pattern of Base64 in one line, as the payload of a signed envelope has it, or in lines as in a mail."""
STANDARD_ALPHABET, LINE_ENDS = bytes.maketrans(b"-_", b"+/"), b"\r\n"
XZ = "xz"
COMPRESSIONS = {b"\x1f\x8b": "gzip", b"\x28\xb5\x2f\xfd": "zstd", b"BZh": "bz2", b"\xfd7zX": XZ}
"""Compression by the first bytes of a file, as Arrow names it. Arrow does not know XZ."""
UNKNOWN_ARCHIVES = (b"7z\xbc\xaf", b"Rar!", b"\x04\x22\x4d\x18", b"ORC", b"%PDF")
"""First bytes of archives that are not unpacked: 7z, RAR, LZ4, ORC, and PDF, whose pages are compressed."""
BYTE_ORDER_MARKS = {codecs.BOM_UTF16_LE: "utf-16-le", codecs.BOM_UTF16_BE: "utf-16-be"}
ROW_END = ("\0" * 8, "\n")
"""End of a row in which no value goes on, and separator of its texts."""
PACKED = (b"PAR1", b"PK\3\4", *COMPRESSIONS)
"""First bytes of files that pack others."""
UNPACKING_ERRORS = (
    pa.ArrowException, tarfile.TarError, zipfile.BadZipFile, zlib.error, lzma.LZMAError, struct.error,
    OSError, EOFError, ValueError, RuntimeError,  # the last for an encrypted ZIP, or one of an unknown method
)  # fmt: skip
NOT_UNPACKED = "what it packs could not be unpacked, so only its bytes were searched"
TOO_DEEP = f"files that are packed more than {MAX_DEPTH} deep in one another"
TOO_LARGE = "the parts of a packed file that unpack to more than a gibibyte"
NESTED = f"what is packed once more in a compressed file of more than {BLOCK_BYTES >> 20} MiB"
ROWS_NOT_READ = "rows of a database that could not be read, so only the bytes of its file were searched"

OnGap = Callable[[str], None]
"""Function that is called with a description of what was not unpacked."""


def read_contents(path: Path, on_gap: OnGap) -> Iterator[bytes]:
    """Yield everything that a file contains, in blocks.

    Raises:
        OSError: The file cannot be read.
    """
    with path.open("rb") as file:
        begin = file.read(16)
        file.seek(0)
        yield from contents_of(file, on_gap)
    if begin.startswith(b"SQLite format 3\0"):
        yield from _sqlite_rows(path, on_gap)


def contents_of(file: IO[bytes], on_gap: OnGap, depth: int = 0) -> Iterator[bytes]:
    """Yield the bytes of an open file in overlapping blocks, and then what they pack."""
    begin, tail = b"", b""
    while block := file.read(BLOCK_BYTES):
        begin = begin or block[:4]
        data = tail + block
        yield data
        yield from _decoded(data)
        if encoding := BYTE_ORDER_MARKS.get(begin[:2]):
            yield data.decode(encoding, "replace").encode()
        tail = block[-LONGEST_TERM:]
    if begin.startswith(UNKNOWN_ARCHIVES):
        on_gap(NOT_UNPACKED)
    if not begin.startswith(PACKED) and not is_archive(file):
        return
    if depth >= MAX_DEPTH:
        on_gap(TOO_DEEP)
        return
    file.seek(0)
    try:
        yield from _unpacked(file, begin, on_gap, depth)
    except UNPACKING_ERRORS:  # it may only begin like such a file
        on_gap(NOT_UNPACKED)


def _unpacked(file: IO[bytes], begin: bytes, on_gap: OnGap, depth: int) -> Iterator[bytes]:
    if begin == b"PAR1":
        yield from _parquet(file)
    elif begin == b"PK\3\4":
        yield from _zip(file, on_gap, depth)
    elif not begin.startswith(PACKED):
        yield from _tar(file, on_gap, depth)
    else:
        kind = next(kind for mark, kind in COMPRESSIONS.items() if begin.startswith(mark))
        yield from _decompressed(file, kind, on_gap, depth)


def _decoded(data: bytes) -> Iterator[bytes]:
    """Yield what Base64 stands for.

    It is decoded from each of its first four characters, because the match may begin in the middle: at the beginning of
    a block, or with the end of a path before it.
    """
    for match in BASE64.finditer(data):
        text = match[0].translate(STANDARD_ALPHABET, LINE_ENDS)
        yield b"\n".join(_decode_base64(text[at:]) for at in range(4))


def _decode_base64(text: bytes) -> bytes:
    whole = text[:-1] if len(text) % 4 == 1 else text  # one letter more stands for no byte
    return base64.b64decode(whole + b"=" * (-len(whole) % 4))


def _parquet(file: IO[bytes]) -> Iterator[bytes]:
    """Yield the columns in Arrow's format, in which texts are as they are, and then the texts of each row together.

    A person's first and last name may be two columns.
    """
    with pq.ParquetFile(file) as table:
        for batch in table.iter_batches(batch_size=50_000):
            texts = [column.cast(pa.large_string()) for column in batch.columns if _is_text(column.type)]
            if len(texts) > 1:
                end = (pa.scalar(text, pa.large_string()) for text in ROW_END)
                rows = pc.binary_join_element_wise(*texts, *end, null_handling="skip")
                yield rows.buffers()[2].to_pybytes()
            sink = pa.BufferOutputStream()
            with pa.ipc.new_stream(sink, batch.schema) as stream:
                stream.write_batch(batch)
            yield sink.getvalue().to_pybytes()


def _is_text(kind: pa.DataType) -> bool:
    return pa.types.is_string(kind) or pa.types.is_large_string(kind)


def _zip(file: IO[bytes], on_gap: OnGap, depth: int) -> Iterator[bytes]:
    with zipfile.ZipFile(file) as archive:
        for member in archive.infolist():
            yield member.filename.encode(errors="surrogateescape")
            if member.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):  # no bound on what is unpacked
                on_gap(NOT_UNPACKED)
                continue
            try:
                with archive.open(member) as packed:
                    data = packed.read(MAX_MEMBER_BYTES)
            except UNPACKING_ERRORS:  # for example one that is encrypted; the others may not be
                on_gap(NOT_UNPACKED)
                continue
            if member.file_size > MAX_MEMBER_BYTES:
                on_gap(TOO_LARGE)
            yield from contents_of(io.BytesIO(data), on_gap, depth + 1)


def _tar(file: IO[bytes], on_gap: OnGap, depth: int) -> Iterator[bytes]:
    with tarfile.open(fileobj=file, mode="r:") as archive:
        for member in archive:
            content = archive.extractfile(member) if member.isreg() and not member.issparse() else None
            if content is not None:
                yield from contents_of(content, on_gap, depth + 1)


def _decompressed(file: IO[bytes], kind: str, on_gap: OnGap, depth: int) -> Iterator[bytes]:
    with lzma.open(file) if kind == XZ else pa.CompressedInputStream(pa.PythonFile(file, mode="r"), kind) as stream:
        tail = b""
        first = stream.read(BLOCK_BYTES)
        block = first
        while block:
            yield tail + block
            tail = block[-LONGEST_TERM:]
            block = stream.read(BLOCK_BYTES)
    if len(first) < BLOCK_BYTES:
        yield from contents_of(io.BytesIO(first), on_gap, depth + 1)
    elif first.startswith(PACKED) or is_archive(io.BytesIO(first)):
        on_gap(NESTED)


def _sqlite_rows(path: Path, on_gap: OnGap) -> Iterator[bytes]:
    """Yield the cells of all rows. Long cells lie in several pages, so the bytes of the file are not enough."""
    try:
        connection = sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True)
    except sqlite3.Error:
        on_gap(ROWS_NOT_READ)
        return
    try:
        connection.text_factory = bytes
        tables = connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall()
        for (name,) in tables:
            cursor = connection.execute('SELECT * FROM "' + name.decode().replace('"', '""') + '"')
            while rows := cursor.fetchmany(2_000):
                cells = [cell for row in rows for cell in row if isinstance(cell, bytes)]
                data = b"\n".join(cells)
                yield data
                yield from _decoded(data)
    except sqlite3.Error:
        on_gap(ROWS_NOT_READ)
    finally:
        connection.close()
