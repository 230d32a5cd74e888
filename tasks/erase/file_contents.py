"""Bytes of a file, and of what it packs: Parquet columns, gzip, Zstandard and ZIP, SQLite rows, Base64."""

import base64
import binascii
import io
import re
import sqlite3
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import IO

import pyarrow as pa
import pyarrow.parquet as pq

from tasks.erase.search_terms import LONGEST_TERM

BLOCK_BYTES = 16 << 20
MAX_DEPTH = 3
"""Maximum depth of files that are packed in one another."""
MAX_MEMBER_BYTES = 1 << 30
"""Maximum number of bytes that are unpacked from one ZIP member, since a small file may unpack to any size."""
BASE64 = re.compile(rb"[A-Za-z0-9+/_-]{40,}={0,2}")
"""Pattern of Base64, as the payload of a signed envelope has it."""
COMPRESSIONS = {b"\x1f\x8b": "gzip", b"\x28\xb5\x2f\xfd": "zstd", b"BZh": "bz2"}
"""Compression by the first bytes of a file, as Arrow names it."""


def read_contents(path: Path) -> Iterator[bytes]:
    """Yield everything that a file contains, in blocks.

    Raises:
        OSError: The file cannot be read.
    """
    with path.open("rb") as file:
        begin = file.read(16)
        file.seek(0)
        yield from contents_of(file)
    if begin.startswith(b"SQLite format 3\0"):
        yield from _sqlite_rows(path)


def contents_of(file: IO[bytes], depth: int = 0) -> Iterator[bytes]:
    """Yield the bytes of an open file in overlapping blocks, and then what they pack."""
    begin, tail = b"", b""
    while block := file.read(BLOCK_BYTES):
        begin = begin or block[:4]
        data = tail + block
        yield data
        yield from _decoded(data)
        tail = block[-LONGEST_TERM:]
    if depth >= MAX_DEPTH:
        return
    file.seek(0)
    try:
        if begin == b"PAR1":
            yield from _parquet(file)
        elif begin == b"PK\3\4":
            yield from _zip(file, depth)
        else:
            for mark, kind in COMPRESSIONS.items():
                if begin.startswith(mark):
                    yield from _decompressed(file, kind, depth)
    except (pa.ArrowException, zipfile.BadZipFile, OSError, EOFError):
        return  # it only begins like such a file; its bytes were searched


def _decoded(data: bytes) -> Iterator[bytes]:
    for match in BASE64.finditer(data):
        text = match[0].rstrip(b"=").translate(bytes.maketrans(b"-_", b"+/"))
        try:
            yield base64.b64decode(text[: len(text) // 4 * 4])
        except binascii.Error:
            continue


def _parquet(file: IO[bytes]) -> Iterator[bytes]:
    """Yield the columns in Arrow's format, in which texts are as they are."""
    with pq.ParquetFile(file) as table:
        for batch in table.iter_batches(batch_size=50_000):
            sink = pa.BufferOutputStream()
            with pa.ipc.new_stream(sink, batch.schema) as stream:
                stream.write_batch(batch)
            yield sink.getvalue().to_pybytes()


def _zip(file: IO[bytes], depth: int) -> Iterator[bytes]:
    with zipfile.ZipFile(file) as archive:
        for name in archive.namelist():
            with archive.open(name) as member:
                yield name.encode()
                yield from contents_of(io.BytesIO(member.read(MAX_MEMBER_BYTES)), depth + 1)


def _decompressed(file: IO[bytes], kind: str, depth: int) -> Iterator[bytes]:
    with pa.CompressedInputStream(pa.PythonFile(file, mode="r"), kind) as stream:
        tail = b""
        first = stream.read(BLOCK_BYTES)
        block = first
        while block:
            yield tail + block
            tail = block[-LONGEST_TERM:]
            block = stream.read(BLOCK_BYTES)
    if len(first) < BLOCK_BYTES:
        yield from contents_of(io.BytesIO(first), depth + 1)


def _sqlite_rows(path: Path) -> Iterator[bytes]:
    """Yield the cells of all rows. Long cells lie in several pages, so the bytes of the file are not enough."""
    connection = sqlite3.connect(f"file:{path}?mode=ro", uri=True)
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
        return
    finally:
        connection.close()
