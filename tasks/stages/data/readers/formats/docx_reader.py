"""Reader of documents in Office Open XML (.docx): one row for each section, with the document's own title and date.

Headers, footers, notes, comments, deleted text and tables of contents are left out. Numbers of headings and lists,
which Word computes, are not in the file.
"""

import io
import zipfile
import zlib
from collections.abc import Iterator
from typing import IO

from tasks.sources.sources import Source
from tasks.stages.data.readers import sections
from tasks.stages.data.readers.documents import Document, UnreadableDocument
from tasks.stages.data.readers.rows import MalformedRow, Reader, Row
from tasks.stages.data.readers.sections import ParsedDocument

SUFFIXES = (".docx",)
ZIP_MAGIC, OLE_MAGIC = b"PK\x03\x04", b"\xd0\xcf\x11\xe0"
TEXT_PART, STYLES_PART, PROPERTIES_PART = "word/document.xml", "word/styles.xml", "docProps/core.xml"
MAX_PARTS = 100_000
"""Maximum number of files in the archive that a document is. Most have a dozen, and one for each picture."""
PLAIN_METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
"""Compressions that a .docx may have (ECMA-376). zipfile bounds the memory of no other."""
ZIP_ERRORS = (zipfile.BadZipFile, zlib.error, EOFError, OSError, ValueError, NotImplementedError, RuntimeError)
"""Exceptions that zipfile raises for a damaged, encrypted or unusual archive."""


def read_rows(file: IO[bytes], source: Source) -> Iterator[Row | MalformedRow]:
    return sections.read_sections(file, source, SUFFIXES, _parse)


def _parse(document: Document, source: Source) -> ParsedDocument:
    from tasks.stages.data.readers import docx_text

    content = io.BytesIO(document.file.read(document.size))
    head = content.getvalue()[:8]
    if head.startswith(OLE_MAGIC):
        raise UnreadableDocument("is encrypted, or in the older format .doc; save it as .docx without a password")
    if not head.startswith(ZIP_MAGIC):
        raise UnreadableDocument("is no .docx: it does not begin like a ZIP archive; correct `kind`, or save it anew")
    parts = _read_parts(content, source)
    if not parts[TEXT_PART]:
        raise UnreadableDocument(f"is no .docx: it has no {TEXT_PART}; correct `kind`, or save it anew")
    styles = docx_text.parse_styles(parts[STYLES_PART])
    stated_title, date = docx_text.parse_properties(parts[PROPERTIES_PART])
    title, found = docx_text.parse_text(parts[TEXT_PART], styles, stated_title)
    return ParsedDocument(title, date, found)


def _read_parts(content: IO[bytes], source: Source) -> dict[str, bytes]:
    """Return the parts with text, styles and properties. A part that is missing is empty."""
    wanted = (TEXT_PART, STYLES_PART, PROPERTIES_PART)
    try:
        with zipfile.ZipFile(content) as archive:
            if len(archive.filelist) > MAX_PARTS:
                raise UnreadableDocument(f"has more than {MAX_PARTS:,} parts")
            found = {entry.filename: entry for entry in archive.filelist if entry.filename in wanted}
            size = sum(entry.file_size for entry in found.values())
            if size > source.max_unpacked_bytes:
                raise UnreadableDocument(
                    f"unpacks to {size:,} bytes, more than max_unpacked_bytes allows, {source.max_unpacked_bytes:,}"
                )
            if any(entry.compress_type not in PLAIN_METHODS for entry in found.values()):
                raise UnreadableDocument("has a part in a compression that no .docx has; save it anew")
            return {name: _read_part(archive, found[name]) if name in found else b"" for name in wanted}
    except ZIP_ERRORS as error:
        raise UnreadableDocument(f"is a damaged archive ({type(error).__name__}); fetch it again") from None


def _read_part(archive: zipfile.ZipFile, entry: zipfile.ZipInfo) -> bytes:
    """Read a part up to its stated size. `ZipFile.read` unpacks all of it before it compares the sizes."""
    with archive.open(entry) as part:
        return part.read(entry.file_size + 1)


def _is_docx(head: bytes) -> bool:
    return head.startswith(ZIP_MAGIC) and b"[Content_Types].xml" in head and b"word/" in head


READER = Reader(read_rows, lambda file, source: sections.COLUMNS, recognises=_is_docx, is_text=False, suffixes=SUFFIXES)
