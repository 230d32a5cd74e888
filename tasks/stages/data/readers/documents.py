"""Documents of a source: the files of a folder or tar archive, or the one file that the source is."""

import io
import tarfile
from collections.abc import Iterator
from pathlib import PurePosixPath
from typing import IO, NamedTuple

from tasks.core.errors import InputError
from tasks.sources.sources import Source
from tasks.stages.data.readers.decoding import find_declared_codec, open_text
from tasks.stages.data.readers.folder_stream import has_suffix, is_hidden
from tasks.stages.data.readers.limits import check_row_count
from tasks.stages.data.readers.rows import MalformedRow

TAR_MAGIC, TAR_MAGIC_OFFSET = b"ustar", 257
MAX_BLANK_BYTES = 1 << 16
"""Maximum size in bytes of a document that counts as empty if it has only white space."""


class UnreadableDocument(Exception):
    """Raised if a document cannot be read. The message has no value from the document."""


class Document(NamedTuple):
    name: str
    """Path within the folder or archive, or the name of the only file."""
    file: IO[bytes]
    """Content, which can be read until the next document is asked for."""
    size: int
    """Size in bytes."""
    offset: int = 0
    """Position of the content within the source's own content."""


def is_archive(file: IO[bytes]) -> bool:
    file.seek(TAR_MAGIC_OFFSET)
    found = file.read(len(TAR_MAGIC)) == TAR_MAGIC
    file.seek(0)
    return found


def iter_documents(file: IO[bytes], source: Source, suffixes: tuple[str, ...]) -> Iterator[Document]:
    """Yield the documents of a source in order. Hidden members and those with other suffixes are left out.

    Raises:
        InputError: The archive is damaged, or has a member that is no plain file, or more members than `max_rows`.
    """
    where, size = f"source {source.id}: {source.location}", file.seek(0, io.SEEK_END)
    file.seek(0)
    if not is_archive(file):
        if size <= MAX_BLANK_BYTES and not file.read().strip():
            raise InputError(f"{where} is empty; expected at least one document")
        file.seek(0)
        yield Document(PurePosixPath(source.location).name, file, size)
        return
    try:
        with tarfile.open(fileobj=file, mode="r:") as archive:
            for number, member in enumerate(archive, start=1):
                check_row_count(number, source)
                archive.members = []  # type: ignore[attr-defined]  # tarfile keeps every header it has read
                if member.isdir() or is_hidden(member.name) or not has_suffix(member.name, suffixes):
                    continue
                content = archive.extractfile(member) if member.isreg() and not member.issparse() else None
                if content is None:
                    raise InputError(f"{where}: {member.name!r} is no plain file; put the file itself there")
                if member.offset_data + member.size > size:
                    raise EOFError  # here, and not where the document is read
                yield Document(member.name, content, member.size, member.offset_data)
            _require_end(file, archive.offset)
    except (tarfile.TarError, EOFError) as error:
        raise InputError(f"{where} is a damaged archive ({type(error).__name__}); fetch it again") from None


def _require_end(file: IO[bytes], offset: int) -> None:
    """Require a block of zero bytes, because tarfile takes a damaged header for the end of the archive."""
    file.seek(offset)
    if file.read(tarfile.BLOCKSIZE) != bytes(tarfile.BLOCKSIZE):
        raise tarfile.ReadError


def read_content(document: Document, number: int, source: Source) -> bytes | MalformedRow:
    """Return the content of a document, or row `number` as malformed if it is longer than `max_row_bytes`."""
    if document.size > source.max_row_bytes:
        return MalformedRow(
            number,
            "too_large",
            f"the document has {document.size:,} bytes, more than max_row_bytes allows, {source.max_row_bytes:,}",
        )
    return document.file.read(document.size)


def read_text(document: Document, number: int, source: Source) -> str | MalformedRow:
    """Return the text of a document, or row `number` as malformed if it is too long, empty, or not text."""
    content = read_content(document, number, source)
    if isinstance(content, MalformedRow):
        return content
    try:
        return decode_content(content, source)
    except UnreadableDocument as problem:
        return MalformedRow(number, "unreadable", f"the document {problem}")


def decode_content(content: bytes, source: Source) -> str:
    """Return the text of a document's content.

    Raises:
        InputError: The source's encoding is none.
        UnreadableDocument: The content is empty or binary, or in another encoding.
    """
    find_declared_codec(source)
    try:
        with open_text(io.BytesIO(content), source) as text:
            return text.read()
    except InputError as error:  # it is about the source, of which this document may be one of many
        raise UnreadableDocument(str(error).removeprefix(f"source {source.id}: {source.location} ")) from None
