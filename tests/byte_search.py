"""Search for planted values in everything that a program wrote: in all bytes, and in whatever they unpack to.

The search ignores case, white space, separators and punctuation, so that it finds a value with digits only, in JSON,
HTML and URL spelling, and in UTF-8, UTF-16 and Latin-1. It is repeated in everything that the bytes contain: gzip,
zlib, zstd and bzip2 streams at any offset, ZIP members, Parquet columns, SQLite tables with their blobs, Base64 and
hexadecimal text. A pickle has its texts in plain form, so it needs no reader.
"""

import base64
import binascii
import io
import re
import shutil
import sqlite3
import tempfile
import unicodedata
import zipfile
import zlib
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from tasks.core.files import sha256_bytes

WINDOW = 8
"""Number of leading bytes of a value that are looked up first."""
SHORTEST = 9
"""Minimum number of letters and digits in a value; shorter ones occur by chance."""
DEEPEST = 4
"""Maximum depth of nested containers."""
LARGEST = 1 << 28
"""Maximum number of bytes unpacked from one stream, since a small stream may unpack to any size."""
SEPARATORS = bytes(byte for byte in range(128) if not chr(byte).isalnum())
LOWER = bytes(byte + 32 if 65 <= byte <= 90 else byte for byte in range(256))
ESCAPES = re.compile(rb"\\u([0-9a-fA-F]{4})|\\x([0-9a-fA-F]{2})|%([0-9a-fA-F]{2})|&#(?:x([0-9a-fA-F]{1,5})|(\d{1,6}));")
BASE64 = re.compile(rb"[A-Za-z0-9+/_-]{16,}")
HEX = re.compile(rb"(?:[0-9a-fA-F]{2}){9,}")
STREAMS = re.compile(rb"\x1f\x8b\x08|\x78[\x01\x5e\x9c\xda]|\x28\xb5\x2f\xfd|BZh[1-9]1AY")
BETWEEN = b"\0"
"""Separator between parts that are searched together; it occurs in no value."""
BATCH = 1 << 24
"""Number of bytes that are searched together."""
PROBE = 64
"""Number of unpacked bytes that show whether bytes are a stream."""


def bare(data: bytes) -> bytes:
    """Return bytes in the form that is compared: ASCII letters in lower case, digits, and unchanged non-ASCII bytes."""
    return data.replace(b"\xc2\xa0", b"").translate(LOWER, SEPARATORS)


def spellings(value: str) -> set[bytes]:
    """Return the forms of a value that are searched for, as `bare` bytes.

    `bare` does not fold case beyond ASCII, so there are forms in both cases, composed and decomposed, by encoding.
    """
    cased = {value.lower(), value.upper(), value.casefold(), value}
    forms = {unicodedata.normalize(form, text) for text in cased for form in ("NFC", "NFD")}
    return {bare(text.encode(encoding, "ignore")) for text in forms for encoding in ("utf-8", "latin-1")}


class Planted:
    """Values to search for.

    Raises:
        ValueError: A value has fewer than SHORTEST letters and digits.
    """

    def __init__(self, values: Iterable[str]) -> None:
        self._by_beginning: dict[int, list[tuple[bytes, str]]] = defaultdict(list)
        for value in values:
            if len(bare(value.encode("ascii", "ignore"))) < SHORTEST:
                raise ValueError(f"{value!r} is too short to be looked for")
            for spelled in spellings(value):
                if len(spelled) >= SHORTEST:
                    self._by_beginning[int.from_bytes(spelled[:WINDOW], "little")].append((spelled, value))
        self._beginnings = np.array(sorted(self._by_beginning), np.uint64)

    def within(self, *parts: bytes) -> set[str]:
        """Return the values in these parts, without unpacking them.

        All parts are searched at once, because a search of few bytes takes as long as one of many.
        """
        plain = BETWEEN.join(bare(form) for part in parts for form in without_escapes(part))
        return {value for at in self._places(plain) for value in self._at(plain, at)}

    def _places(self, plain: bytes) -> Iterator[int]:
        """Yield the offsets at which the first bytes of a value occur."""
        for shift in range(min(WINDOW, max(0, len(plain) - WINDOW + 1))):
            windows = np.frombuffer(plain, "<u8", (len(plain) - shift) // WINDOW, shift)
            places = np.searchsorted(self._beginnings, windows).clip(max=len(self._beginnings) - 1)
            yield from (np.flatnonzero(self._beginnings[places] == windows) * WINDOW + shift).tolist()

    def _at(self, plain: bytes, at: int) -> Iterator[str]:
        beginning = int.from_bytes(plain[at : at + WINDOW], "little")
        yield from (value for spelled, value in self._by_beginning[beginning] if plain.startswith(spelled, at))


def without_escapes(data: bytes) -> Iterator[bytes]:
    """Yield the bytes, and then the same with escaped characters in plain form, until there is no escape left."""
    yield data
    while ESCAPES.search(data):
        data = ESCAPES.sub(_character, data)
        yield data


def _character(match: "re.Match[bytes]") -> bytes:
    short, byte, percent, hexadecimal, decimal = match.groups()
    if byte or percent:
        return bytes.fromhex((byte or percent).decode())
    code = int(decimal) if decimal else int(short or hexadecimal, 16)
    return chr(code).encode("utf-8", "ignore") if code <= 0x10FFFF else b" "


def search(data: bytes, planted: Planted) -> set[str]:
    """Return the values in these bytes, and in everything that they unpack to."""
    return {value for parts in _batches(unpacked(data)) for value in planted.within(*parts)}


def _batches(parts: Iterable[bytes]) -> Iterator[list[bytes]]:
    batch, size = [], 0
    for part in parts:
        if len(part) >= SHORTEST:
            batch.append(part)
            size += len(part)
        if size > BATCH:
            yield batch
            batch, size = [], 0
    yield batch


def unpacked(data: bytes, depth: int = 0) -> Iterator[bytes]:
    """Yield the bytes, and those of everything that they contain."""
    yield data
    if depth < DEEPEST and len(data) >= SHORTEST:
        for read in (_parquet, _sqlite, _zip, _streams, _encoded):
            for part in read(data):
                yield from unpacked(part, depth + 1)


def _parquet(data: bytes) -> Iterator[bytes]:
    """Yield each column, with one value per line."""
    if data[:4] == b"PAR1" == data[-4:]:
        for column in pq.read_table(pa.BufferReader(data)).itercolumns():
            yield "\n".join(map(str, column.to_pylist())).encode("utf-8", "replace")


def _sqlite(data: bytes) -> Iterator[bytes]:
    """Yield every cell. Deleted cells that were not overwritten are found in the bytes of the file itself."""
    if not data.startswith(b"SQLite format 3\0"):
        return
    with tempfile.NamedTemporaryFile(suffix=".db") as copy:
        # Bytes 18 and 19 may demand a write-ahead log beside the file; the copy has none.
        copy.write(data[:18] + b"\1\1" + data[20:])
        copy.flush()
        connection = sqlite3.connect(copy.name)
        connection.text_factory = bytes
        for (name,) in connection.execute("select name from sqlite_master where type = 'table'").fetchall():
            for row in connection.execute(f'select * from "{name.decode()}"'):
                yield from (cell for cell in row if isinstance(cell, bytes))
                yield b"\n".join(str(cell).encode() for cell in row if not isinstance(cell, bytes))
        connection.close()


def _zip(data: bytes) -> Iterator[bytes]:
    if data.startswith(b"PK\3\4"):
        try:
            with zipfile.ZipFile(io.BytesIO(data)) as archive:
                yield from (archive.read(name) for name in archive.namelist())
        except zipfile.BadZipFile:
            return


def _streams(data: bytes) -> Iterator[bytes]:
    view = memoryview(data)
    for match in STREAMS.finditer(data):
        if part := _inflated(view[match.start() :]):
            yield part


def _inflated(data: memoryview) -> bytes:
    """Return the contents of a stream; empty if the bytes only begin like a stream."""
    kind = {0x1F: 31, 0x78: 15}.get(data[0])
    if kind:
        try:
            zlib.decompressobj(kind).decompress(data[: 4 * PROBE], PROBE)
            return zlib.decompressobj(kind).decompress(data, LARGEST)
        except zlib.error:
            return b""
    read = bytearray()
    try:
        with pa.CompressedInputStream(pa.BufferReader(data), "zstd" if data[0] == 0x28 else "bz2") as stream:
            while len(read) < LARGEST and (block := stream.read(1 << 20)):
                read += block
    except OSError:
        pass  # other bytes follow the stream; what was read until then counts
    return bytes(read)


def _encoded(data: bytes) -> Iterator[bytes]:
    """Yield decoded runs of Base64, from each of the four offsets at which it may begin, and of hexadecimal text."""
    for run in BASE64.findall(data):
        for begin in range(4):
            part = run[begin:]
            with_padding = part[: len(part) // 4 * 4] if len(part) % 4 == 1 else part + b"=" * (-len(part) % 4)
            yield base64.b64decode(with_padding.translate(bytes.maketrans(b"-_", b"+/")))
    for run in HEX.findall(data):
        yield binascii.unhexlify(run)


@dataclass
class Findings:
    """Places where values were found, and the amount of data that was searched."""

    places: dict[str, set[str]] = field(default_factory=lambda: defaultdict(set))
    """Names of the files with a value, by value."""
    files: int = 0
    bytes: int = 0
    _seen: dict[str, set[str]] = field(default_factory=dict)
    """Values found so far by digest of the data, since a cache and a worktree hold the same bytes."""

    def look(self, name: str, data: bytes, planted: Planted) -> None:
        digest = sha256_bytes(data)
        if digest not in self._seen:
            self._seen[digest] = search(data, planted)
        self.files += 1
        self.bytes += len(data)
        for value in self._seen[digest] | planted.within(name.encode()):
            self.places[value].add(name)


def search_folder(
    folder: Path, planted: Planted, findings: Findings, left_out: Callable[[Path], bool] = lambda _: False
) -> None:
    """Search every file below a folder, and its name. A file with several hard links counts once for each."""
    for path in sorted(folder.rglob("*")):
        if path.is_file() and not path.is_symlink() and not left_out(path):
            findings.look(path.relative_to(folder).as_posix(), _content(path), planted)


def _content(path: Path) -> bytes:
    """Return a file's bytes; for a database with a write-ahead log, those after a checkpoint."""
    log = path.with_name(f"{path.name}-wal")
    if not log.exists():
        return path.read_bytes()
    with tempfile.TemporaryDirectory() as folder:
        copies = [shutil.copy(file, folder) for file in (path, log)]
        connection = sqlite3.connect(copies[0])
        connection.execute("pragma wal_checkpoint(truncate)")
        connection.close()
        return Path(copies[0]).read_bytes()
