"""Reader of Markdown: one row for each section, as it is written, with title and date from YAML front matter."""

import re
from collections.abc import Iterator
from itertools import pairwise
from typing import IO, Any

from tasks.core.documents.yaml_text import parse_with_limits
from tasks.core.errors import InputError
from tasks.sources.sources import Source
from tasks.stages.data.readers import sections
from tasks.stages.data.readers.documents import Document, decode_content
from tasks.stages.data.readers.rows import MalformedRow, Reader, Row
from tasks.stages.data.readers.sections import ParsedDocument, Section, SectionBuilder

SUFFIXES = (".md", ".markdown")
FRONT_MATTER = re.compile(r"---[ \t]*\n(.*?\n)(?:---|\.\.\.)[ \t]*(?:\n|\Z)", re.DOTALL)
"""Pattern of YAML between two lines of dashes, at the beginning of a document."""
DATE_KEYS = ("lastmod", "updated", "modified", "last_modified_at", "date")
"""Keys of front matter with the date of a document. The first one that is there counts."""


def read_rows(file: IO[bytes], source: Source) -> Iterator[Row | MalformedRow]:
    return sections.read_sections(file, source, SUFFIXES, _parse)


def _parse(document: Document, source: Source) -> ParsedDocument:
    text = _decode(document, source)
    front, body = _split_front_matter(text)
    builder = SectionBuilder()
    found = _split_sections(body, builder)
    date = next((str(front[key]) for key in DATE_KEYS if front.get(key)), None)
    return ParsedDocument(str(front.get("title") or builder.first_heading), date, found)


def _decode(document: Document, source: Source) -> str:
    text = decode_content(document.file.read(document.size), source)
    return re.sub(r"\r\n?", "\n", text).replace("\0", "\ufffd")


def _split_front_matter(text: str) -> tuple[dict[str, Any], str]:
    """Return the values of the front matter, and the rest of the text. Front matter that is not YAML stays in it."""
    text = text.removeprefix("\ufeff")
    match = FRONT_MATTER.match(text)
    try:
        values = parse_with_limits(match[1], "front matter") if match else None
    except InputError:
        return {}, text
    return (values, text[match.end() :]) if match and isinstance(values, dict) else ({}, text)


def _split_sections(text: str, builder: SectionBuilder) -> list[Section]:
    from markdown_it import MarkdownIt

    parser = MarkdownIt("commonmark").enable("table")
    parser.core.ruler.enableOnly(["normalize", "block"])  # headings are blocks; what stands in lines stays as it is
    lines, done = text.split("\n"), 0
    tokens = parser.parse(text)
    for token, content in pairwise(tokens):
        if token.type == "heading_open" and not token.level and token.map:
            builder.add_text("\n".join(lines[done : token.map[0]]))
            builder.add_heading(int(token.tag[1:]), content.content)
            done = token.map[1]
    builder.add_text("\n".join(lines[done:]))
    return builder.finish()


READER = Reader(read_rows, lambda file, source: sections.COLUMNS, recognises=lambda head: False, suffixes=SUFFIXES)
