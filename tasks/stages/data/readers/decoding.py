"""Decoding of a source's bytes to text, or an error that says what the bytes are instead."""

import codecs
import io
from collections.abc import Iterator
from itertools import chain
from typing import IO

from tasks.core.errors import InputError
from tasks.sources.sources import Source

BLOCK_BYTES = 1 << 20
LIKELY_ENCODINGS = ("utf-8", "cp1252", "utf-16")
BYTE_ORDER_MARKS = {
    codecs.BOM_UTF8: "utf-8-sig",
    codecs.BOM_UTF32_LE: "utf-32",
    codecs.BOM_UTF32_BE: "utf-32",
    codecs.BOM_UTF16_LE: "utf-16",
    codecs.BOM_UTF16_BE: "utf-16",
}
"""Encoding for each byte order mark. UTF-32 comes first, because its little-endian mark begins with that of UTF-16."""
BINARY_SIGNATURES = {
    b"PAR1": "a Parquet file",
    b"PK\x03\x04": "a ZIP archive (an Excel workbook is one)",
    b"%PDF": "a PDF document",
    b"\x89PNG": "a PNG picture",
    b"SQLite format 3\x00": "an SQLite database",
    b"BZh": "bzip2-compressed",
    b"\x28\xb5\x2f\xfd": "zstd-compressed",
}
REFUSED_CODECS = frozenset(("idna", "punycode", "raw-unicode-escape", "undefined", "unicode-escape", "utf-7"))
"""Python's text codecs that are not read: those of names of hosts and of Python's source, in which no files are.
Decoding punycode and idna takes time quadratic in the length, and so does decoding UTF-7 block by block."""
CONTROL_BYTES = bytes(set(range(32)) - set(b"\t\n\r\f\x1a\x1b")) + b"\x7f"


def open_text(file: IO[bytes], source: Source) -> io.TextIOWrapper:
    """Return the content decoded with its declared encoding and with unchanged line ends.

    Bytes that do not decode become lone surrogates (PEP 383) if the rest of the content confirms the declared encoding;
    the mapping rejects the rows that contain them. The file is read several times, one block at a time.

    Raises:
        InputError: The content is empty or binary, or its encoding is not the declared one.
    """
    if not any(block.strip() for block in _read_blocks(file)):
        raise InputError(f"source {source.id}: {source.location} is empty; expected at least one row")
    head = next(_read_blocks(file))
    encoding = _resolve_encoding(head, source)
    _refuse_binary(head, encoding, source)
    _refuse_wrong_encoding(file, encoding, source)
    file.seek(0)
    return io.TextIOWrapper(file, encoding=encoding, errors="surrogateescape", newline="")


def find_codec(encoding: str) -> str:
    """Return Python's name of an encoding of text that can be decoded in linear time.

    Raises:
        LookupError: There is no such encoding.
    """
    try:
        "a".encode(encoding)  # also fails for codecs that are not for text, which `lookup` accepts
        name = codecs.lookup(encoding).name
    except ValueError:  # the codec cannot encode, or its name has a zero byte
        raise LookupError(encoding) from None
    if name in REFUSED_CODECS:
        raise LookupError(encoding)
    return name


def find_declared_codec(source: Source) -> str:
    """Return Python's name of a source's encoding.

    Raises:
        InputError: There is no such encoding of text.
    """
    try:
        return find_codec(source.encoding)
    except LookupError:
        raise InputError(
            f"source {source.id}: encoding {source.encoding!r} is not a Python text codec that is read; try one of "
            f"{', '.join(LIKELY_ENCODINGS)}"
        ) from None


def read_beginning(file: IO[bytes], source: Source) -> str:
    """Return the first 2**18 characters of the content, and leave the file open."""
    text = open_text(file, source)
    read = text.read(1 << 18)
    text.detach()
    file.seek(0)
    return read


def strip_encoding_bytes(head: bytes) -> bytes:
    """Return the first bytes of a text without byte order mark, zero bytes and white space.

    The first characters of JSON can then be compared as ASCII, even if the text is in UTF-16 or UTF-32.
    """
    return head.replace(b"\0", b"").lstrip(b"\xef\xbb\xbf\xff\xfe \t\r\n")


def _read_blocks(file: IO[bytes]) -> Iterator[bytes]:
    file.seek(0)
    while block := file.read(BLOCK_BYTES):
        yield block


def _resolve_encoding(head: bytes, source: Source) -> str:
    declared = find_declared_codec(source)
    mark = next((name for start, name in BYTE_ORDER_MARKS.items() if head.startswith(start)), None)
    if mark == "utf-8-sig" and declared == "utf-8":
        return mark
    if mark in ("utf-16", "utf-32"):
        if not declared.startswith(mark):
            raise _wrong_encoding_error(source, 0, f"a {mark.upper()} byte order mark", mark)
        return mark  # unlike utf-16-le and similar codecs, it removes the mark
    return declared


def _refuse_binary(head: bytes, encoding: str, source: Source) -> None:
    for signature, what in BINARY_SIGNATURES.items():
        if head.startswith(signature):
            raise InputError(
                f"source {source.id}: {source.location} is {what}, expected {source.kind} text; correct `kind` or "
                "`location`"
            )
    if not _extends_ascii(encoding):
        return  # bytes below 32 are ordinary in UTF-16 and similar encodings
    sample = head[: BLOCK_BYTES // 16]
    even, odd = sample[::2].count(0), sample[1::2].count(0)
    if max(even, odd) > len(sample) / 8 and min(even, odd) < max(even, odd) / 10:
        likely = "utf-16-be" if even > odd else "utf-16-le"
        raise _wrong_encoding_error(source, sample.index(0), "a zero byte, as in every other place", likely)
    controls = len(sample) - len(sample.translate(None, CONTROL_BYTES))
    if controls > len(sample) / 100:
        raise InputError(
            f"source {source.id}: {source.location} is binary: {controls:,} of its first {len(sample):,} bytes are "
            f"control characters; expected {source.kind} text"
        )


def _refuse_wrong_encoding(file: IO[bytes], encoding: str, source: Source) -> None:
    """Raise InputError if the declared encoding is wrong.

    UTF-8 is wrong if the content has bytes beyond ASCII and none of them is valid UTF-8. Another encoding is wrong if a
    byte does not decode, or if the encoding has one byte for each character and the whole content is valid UTF-8.
    """
    if _extends_ascii(encoding) and all(block.isascii() for block in _read_blocks(file)):
        return
    utf8 = encoding in ("utf-8", "utf-8-sig")
    wrong = first_undecodable_byte(file, encoding)
    if wrong is None:
        one_byte = len("é".encode(encoding, "ignore")) == 1
        if one_byte and not utf8 and first_undecodable_byte(file, "utf-8") is None:
            beyond = first_undecodable_byte(file, "ascii")
            if beyond is None:
                raise _wrong_encoding_error(source, 0, "plain ASCII, as is all of it", "utf-8")
            raise _wrong_encoding_error(source, beyond[0], "a UTF-8 sequence, as is every other beyond ASCII", "utf-8")
    elif not (utf8 and _has_valid_utf8(file)):
        likely = next((name for name in LIKELY_ENCODINGS if first_undecodable_byte(file, name) is None), None)
        raise _wrong_encoding_error(source, wrong[0], f"byte 0x{wrong[1]:02x}", likely)


def _extends_ascii(encoding: str) -> bool:
    return "\n,a".encode(encoding, "ignore") == b"\n,a"


def _has_valid_utf8(file: IO[bytes]) -> bool:
    """Return whether any text beyond ASCII is valid UTF-8, which is very unlikely in another encoding."""
    decoder = codecs.getincrementaldecoder("utf-8")("ignore")
    return any(not decoder.decode(block).isascii() for block in _read_blocks(file))


def first_undecodable_byte(file: IO[bytes], encoding: str) -> tuple[int, int] | None:
    """Return offset and value of the first byte that does not decode; None if all bytes do."""
    decoder, start = codecs.getincrementaldecoder(encoding)(), 0
    for block in chain(_read_blocks(file), [b""]):
        pending = decoder.getstate()[0]
        try:
            decoder.decode(block, final=not block)
        except UnicodeDecodeError as error:
            return start - len(pending) + error.start, (pending + block)[error.start]
        except UnicodeError:  # UTF-16 without its byte order mark
            return 0, block[0]
        start += len(block)
    return None


def _wrong_encoding_error(source: Source, offset: int, what: str, likely: str | None) -> InputError:
    advice = f"it is likely {likely}: set `encoding: {likely}`" if likely else "find out its encoding and declare it"
    return InputError(
        f"source {source.id}: {source.location} is declared {source.encoding}, but at byte {offset:,} stands {what}; "
        f"{advice} in sources.yaml"
    )
