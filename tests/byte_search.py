"""Whether planted values stand anywhere in what a program wrote: every byte, and what unpacks from it.

A value is looked for without regard to case, white space, separators and punctuation, so that digits only, JSON, HTML
and URL spellings, UTF-8, UTF-16 and Latin-1 are one thing; then again in everything that bytes turn out to hold: gzip,
zlib, zstd and bzip2 streams wherever they begin, ZIP members, Parquet columns, SQLite tables with their blobs, Base64
and hexadecimal runs. A plain pickle keeps its texts readable and needs nothing of its own.
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
"""Bytes of a value's beginning by which it is found."""
SHORTEST = 9
"""Letters and digits that a value must have: shorter ones turn up by chance."""
DEEPEST = 4
"""Containers within containers."""
LARGEST = 1 << 28
"""Bytes taken out of one stream: a small one may unpack without end."""
SEPARATORS = bytes(byte for byte in range(128) if not chr(byte).isalnum())
LOWER = bytes(byte + 32 if 65 <= byte <= 90 else byte for byte in range(256))
ESCAPES = re.compile(rb"\\u([0-9a-fA-F]{4})|\\x([0-9a-fA-F]{2})|%([0-9a-fA-F]{2})|&#(?:x([0-9a-fA-F]{1,5})|(\d{1,6}));")
BASE64 = re.compile(rb"[A-Za-z0-9+/_-]{16,}")
HEX = re.compile(rb"(?:[0-9a-fA-F]{2}){9,}")
STREAMS = re.compile(rb"\x1f\x8b\x08|\x78[\x01\x5e\x9c\xda]|\x28\xb5\x2f\xfd|BZh[1-9]1AY")
PROBE = 64
"""Bytes by which a stream shows that it is one."""


def bare(data: bytes) -> bytes:
    """What is compared: ASCII letters in lower case and digits, bytes beyond ASCII as they are, nothing else."""
    return data.replace(b"\xc2\xa0", b"").translate(LOWER, SEPARATORS)


def spellings(value: str) -> set[bytes]:
    """The value's bytes by encoding, bared; what is beyond ASCII has no case here, so in both, composed and not."""
    cased = {value.lower(), value.upper(), value.casefold(), value}
    forms = {unicodedata.normalize(form, text) for text in cased for form in ("NFC", "NFD")}
    return {bare(text.encode(encoding, "ignore")) for text in forms for encoding in ("utf-8", "latin-1")}


class Planted:
    """Values to look for. Raises ValueError for one that is too short."""

    def __init__(self, values: Iterable[str]) -> None:
        self._by_beginning: dict[int, list[tuple[bytes, str]]] = defaultdict(list)
        for value in values:
            if len(bare(value.encode("ascii", "ignore"))) < SHORTEST:
                raise ValueError(f"{value!r} is too short to be looked for")
            for spelled in spellings(value):
                if len(spelled) >= SHORTEST:
                    self._by_beginning[int.from_bytes(spelled[:WINDOW], "little")].append((spelled, value))
        self._beginnings = np.array(sorted(self._by_beginning), np.uint64)

    def within(self, data: bytes) -> set[str]:
        """The values that stand in these bytes as they are."""
        plain = bare(data)
        found = {value for at in self._places(plain) for value in self._at(plain, at)}
        if ESCAPES.search(data):
            found |= self.within(ESCAPES.sub(_character, data))
        return found

    def _places(self, plain: bytes) -> Iterator[int]:
        """Where the beginning of a value stands."""
        for shift in range(min(WINDOW, max(0, len(plain) - WINDOW + 1))):
            windows = np.frombuffer(plain, "<u8", (len(plain) - shift) // WINDOW, shift)
            places = np.searchsorted(self._beginnings, windows).clip(max=len(self._beginnings) - 1)
            yield from (np.flatnonzero(self._beginnings[places] == windows) * WINDOW + shift).tolist()

    def _at(self, plain: bytes, at: int) -> Iterator[str]:
        beginning = int.from_bytes(plain[at : at + WINDOW], "little")
        yield from (value for spelled, value in self._by_beginning[beginning] if plain.startswith(spelled, at))


def _character(match: "re.Match[bytes]") -> bytes:
    short, byte, percent, hexadecimal, decimal = match.groups()
    if byte or percent:
        return bytes.fromhex((byte or percent).decode())
    code = int(decimal) if decimal else int(short or hexadecimal, 16)
    return chr(code).encode("utf-8", "ignore") if code <= 0x10FFFF else b" "


def search(data: bytes, planted: Planted) -> set[str]:
    """The values that stand in these bytes or in anything that unpacks from them."""
    return {value for part in unpacked(data) for value in planted.within(part)}


def unpacked(data: bytes, depth: int = 0) -> Iterator[bytes]:
    """The bytes, and those of everything in them."""
    yield data
    if depth < DEEPEST:
        for read in (_parquet, _sqlite, _zip, _streams, _encoded):
            for part in read(data):
                yield from unpacked(part, depth + 1)


def _parquet(data: bytes) -> Iterator[bytes]:
    """The column's values one a line, column by column."""
    if data[:4] == b"PAR1" == data[-4:]:
        for column in pq.read_table(pa.BufferReader(data)).itercolumns():
            yield "\n".join(map(str, column.to_pylist())).encode("utf-8", "replace")


def _sqlite(data: bytes) -> Iterator[bytes]:
    """Every cell; what was deleted and not yet overwritten stands in the file's own bytes."""
    if not data.startswith(b"SQLite format 3\0"):
        return
    with tempfile.NamedTemporaryFile(suffix=".db") as copy:
        # Bytes 18 and 19 say that there is a write-ahead log beside the file, and here is none.
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
    """What a stream holds; empty for bytes that begin like one and are none."""
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
        pass  # its end is not the end of the bytes; what came before counts
    return bytes(read)


def _encoded(data: bytes) -> Iterator[bytes]:
    """Base64 read from each of the four places at which it may begin, and hexadecimal, where it may be text."""
    for run in BASE64.findall(data):
        for begin in range(4):
            part = run[begin:]
            with_padding = part[: len(part) // 4 * 4] if len(part) % 4 == 1 else part + b"=" * (-len(part) % 4)
            yield base64.b64decode(with_padding.translate(bytes.maketrans(b"-_", b"+/")))
    for run in HEX.findall(data):
        yield binascii.unhexlify(run)


@dataclass
class Findings:
    """Where values were found, and how much was looked at."""

    places: dict[str, set[str]] = field(default_factory=lambda: defaultdict(set))
    """By value, the names of the files."""
    files: int = 0
    bytes: int = 0
    _seen: dict[str, set[str]] = field(default_factory=dict)
    """By digest, what stands in it: a cache and a worktree hold the same bytes."""

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
    """Look into every file below a folder, names too; a file that others link to counts once for each name."""
    for path in sorted(folder.rglob("*")):
        if path.is_file() and not path.is_symlink() and not left_out(path):
            findings.look(path.relative_to(folder).as_posix(), _content(path), planted)


def _content(path: Path) -> bytes:
    """A file's bytes; of a database with a write-ahead log those it has once the log is worked in."""
    log = path.with_name(f"{path.name}-wal")
    if not log.exists():
        return path.read_bytes()
    with tempfile.TemporaryDirectory() as folder:
        copies = [shutil.copy(file, folder) for file in (path, log)]
        connection = sqlite3.connect(copies[0])
        connection.execute("pragma wal_checkpoint(truncate)")
        connection.close()
        return Path(copies[0]).read_bytes()
