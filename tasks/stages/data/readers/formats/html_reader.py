"""Reader of pages in HTML, as wikis and intranets export them: one row for each section.

The encoding is that of the page's own declaration, or else that of the source.
"""

import re
from collections.abc import Iterator
from typing import IO

from tasks.core.errors import InputError
from tasks.sources.sources import Source
from tasks.stages.data.readers import sections
from tasks.stages.data.readers.decoding import strip_encoding_bytes
from tasks.stages.data.readers.documents import Document, UnreadableDocument, decode_content
from tasks.stages.data.readers.rows import MalformedRow, Reader, Row
from tasks.stages.data.readers.sections import ParsedDocument

SUFFIXES = (".html", ".htm", ".xhtml")
DECLARED_ENCODING = re.compile(
    rb"""<(?:meta|\?xml)\b[^>]*?(?:charset|encoding)\s*=\s*["']?\s*([\w.:-]+)""", re.IGNORECASE
)
BROWSER_ENCODINGS = {"iso-8859-1": "cp1252", "latin1": "cp1252", "us-ascii": "cp1252", "ascii": "cp1252"}
"""Encodings in whose place browsers use another one (WHATWG Encoding)."""
MAX_DECLARATION_BYTES = 4_096
"""Number of bytes at the beginning of a page in which its encoding is looked for."""


def read_rows(file: IO[bytes], source: Source) -> Iterator[Row | MalformedRow]:
    return sections.read_sections(file, source, SUFFIXES, _parse)


def _parse(document: Document, source: Source) -> ParsedDocument:
    from tasks.stages.data.readers.html_text import parse_page

    return parse_page(_decode(document, source))


def _decode(document: Document, source: Source) -> str:
    content = document.file.read(document.size)
    declared = DECLARED_ENCODING.search(content[:MAX_DECLARATION_BYTES])
    if not declared:
        return decode_content(content, source)
    name = declared[1].decode("ascii", "replace").lower()
    try:
        return decode_content(content, source.model_copy(update={"encoding": BROWSER_ENCODINGS.get(name, name)}))
    except (InputError, UnreadableDocument):
        raise UnreadableDocument("is not in the encoding that it declares; save it as UTF-8") from None


def _is_page(head: bytes) -> bool:
    return strip_encoding_bytes(head)[:200].lower().startswith((b"<!doctype html", b"<html"))


READER = Reader(read_rows, lambda file, source: sections.COLUMNS, recognises=_is_page, suffixes=SUFFIXES)
